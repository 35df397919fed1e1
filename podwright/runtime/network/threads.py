"""Blocking kernel work off the event loop, in a thread that is thrown away.

Netlink calls wait for the kernel's RTNL lock (deleting a link: 20 ms), and setns changes a thread for good; a shared
pool would be starved by the one and spoilt by the other. A thread costs 0.02 ms (`threading.Thread`, whose `start`
waits until the thread has got the interpreter, costs the event loop five times as much).
"""

from __future__ import annotations

import _thread
import asyncio
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def in_fresh_thread(work: Callable[[], Result]) -> Result:
    """Run `work` in a new thread and pass on its result or exception.

    `work` has its own deadlines: a cancelled caller waits for its end, so that undoing does not race it.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Result] = loop.create_future()

    def target() -> None:
        try:
            result = work()
        except BaseException as failure:  # noqa: BLE001 # handed to the caller, whatever it is
            _tell(loop, outcome.set_exception, failure)
        else:
            _tell(loop, outcome.set_result, result)

    _thread.start_new_thread(target, ())
    try:
        return await asyncio.shield(outcome)
    except asyncio.CancelledError:
        await asyncio.wait([outcome])
        outcome.exception()  # seen: it must not be reported as lost
        raise


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[[Result], None], value: Result) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call, value)
