"""Fixtures of the tests of events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.events.records import Stores


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    """Empty stores."""
    made = Stores(tmp_path)
    yield made
    made.database.close()
