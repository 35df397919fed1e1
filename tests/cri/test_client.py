"""The client and a server that is not there."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Unavailable

TRIES = 8  # gRPC's own pauses between so many take 43 s, and ours 4 s


@pytest.mark.timeout(30)
async def test_a_server_that_is_away_for_long_is_looked_for_often(tmp_path: Path) -> None:
    tries = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    path = f"{tmp_path}/cri.sock"
    async with await asyncio.start_unix_server(refuse, path), CriClient(f"unix://{path}") as cri:
        while tries < TRIES:
            with pytest.raises(Unavailable):
                await cri.call(cri.runtime.Version, api.VersionRequest())
            await asyncio.sleep(0.02)
