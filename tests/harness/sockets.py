"""Which TCP connections this process has, as the kernel knows them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from podwright.conformance.patience import patient
from tests.harness.descriptors import opened

ESTABLISHED, CLOSE_WAIT = "01", "08"
WAIT_S = patient(60.0)


def connections_to(port: int) -> int:
    """How many connections of ours to that port of this machine are open."""
    own = _own_sockets()
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum(
        1 for row in rows if row[2].endswith(f":{port:04X}") and row[3] in (ESTABLISHED, CLOSE_WAIT) and row[9] in own
    )


async def none_to(port: int) -> None:
    """Wait until no connection is left. Raises TimeoutError."""
    async with asyncio.timeout(WAIT_S):
        while connections_to(port):  # noqa: ASYNC110 # the kernel tells nobody
            await asyncio.sleep(0.01)


def _own_sockets() -> set[str]:
    return {name[8:-1] for name in opened() if name.startswith("socket:[")}
