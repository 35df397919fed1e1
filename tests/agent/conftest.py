"""What tests of the agent share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.apiserver.thread import ApiServerThread


@pytest.fixture
def api() -> Iterator[ApiServerThread]:
    """An API server without objects."""
    with ApiServerThread() as server:
        yield server
