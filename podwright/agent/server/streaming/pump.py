"""Copies bytes between two wires, in both directions, with backpressure.

When the backend ends its direction, the client gets LINGER_S to read the rest. When the client ends its direction, the
backend may go on until it is silent for SILENCE_S: the protocols on these wires mark the end of a stream, so a client
ends its direction only when it leaves. If either side breaks, or no byte moves for the idle time, both end.
"""

from __future__ import annotations

import asyncio
import contextlib

from podwright.agent.server.streaming.activity import ActiveWire, StreamActivity
from podwright.errors import PodwrightError
from podwright.streams.errors import ProtocolError
from podwright.streams.wire import Wire

LINGER_S = 5.0
SILENCE_S = 5.0


async def pump(client: Wire, backend: Wire, *, idle_timeout_s: float) -> None:
    """Copy until the end. The caller closes both wires."""
    activity = StreamActivity()
    near, far = ActiveWire(client, activity), ActiveWire(backend, activity)
    upward = asyncio.create_task(_copy(near, far), name="client to runtime")
    downward = asyncio.create_task(_copy(far, near), name="runtime to client")
    idle = asyncio.create_task(activity.until_idle(idle_timeout_s), name="close an idle stream")
    try:
        await asyncio.wait((upward, downward, idle), return_when=asyncio.FIRST_COMPLETED)
        if upward.done() and upward.result():
            idle.cancel()
            activity.note()
            idle = asyncio.create_task(activity.until_idle(SILENCE_S), name="close a stream without a client")
            await asyncio.wait((downward, idle), return_when=asyncio.FIRST_COMPLETED)
        elif downward.done() and downward.result():
            await asyncio.wait((upward, idle), timeout=LINGER_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (upward, downward, idle):
            task.cancel()
        await asyncio.gather(upward, downward, idle, return_exceptions=True)


async def _copy(source: Wire, target: Wire) -> bool:
    """Copy until the source ends. Returns False if either side breaks."""
    try:
        while data := await source.receive():
            await target.send(data)
        with contextlib.suppress(OSError):
            await target.finish()
    except (OSError, ProtocolError, PodwrightError):
        return False
    return True
