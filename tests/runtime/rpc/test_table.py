"""The table of RPCs: every one has a method, and every method an RPC."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.errors import Internal
from podwright.runtime.rpc.table import SERVICES, Table, check

NAMES = [method.name for service in SERVICES for method in service.methods]


async def _serve(_request: Any, _context: Any) -> None:
    """Serves nothing."""


def _table(names: list[str]) -> Table:
    return dict.fromkeys(names, _serve)


def test_no_two_rpcs_have_one_name() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_a_whole_table() -> None:
    check(_table(NAMES))


def test_an_rpc_without_a_method() -> None:
    with pytest.raises(Internal, match="RunPodSandbox"):
        check(_table([name for name in NAMES if name != "RunPodSandbox"]))


def test_a_method_without_an_rpc() -> None:
    with pytest.raises(Internal, match="RunPodSandbocks"):
        check(_table([*NAMES, "RunPodSandbocks"]))
