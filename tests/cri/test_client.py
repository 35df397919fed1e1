"""A client and servers that are slow."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded


async def test_a_server_that_is_busy_is_waited_for(tmp_path: Path) -> None:
    """The kernel accepts the connection, and the server does not speak yet: only the call's deadline ends it."""
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(tmp_path / "s.sock"))
        busy.listen()
        async with CriClient(f"unix://{tmp_path}/s.sock") as cri:
            with pytest.raises(DeadlineExceeded):
                await cri.call(cri.runtime.Version, api.VersionRequest(), timeout_s=1.5)
