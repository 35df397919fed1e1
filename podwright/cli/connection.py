"""A checked connection to the chosen endpoint, and a runner for async code of commands.

gRPC is imported when a connection is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from podwright.cli.failures import Terminated
from podwright.cli.invocation import Invocation
from podwright.cri.reaching import why_unreachable
from podwright.errors import PermissionDenied, Unavailable

if TYPE_CHECKING:
    from podwright.cri.client import CriClient

Result = TypeVar("Result")


def check_listening(endpoint: str) -> None:
    """Fail at once, with a clear message, if no process listens. Raises Unavailable and PermissionDenied."""
    failure = why_unreachable(endpoint)
    if isinstance(failure, PermissionDenied):
        raise PermissionDenied(failure.message, hint="run podwright as root")
    if failure is not None:
        raise Unavailable(failure.message, hint="start podwright serve, or choose another socket with --endpoint")


@contextlib.asynccontextmanager
async def connected(invocation: Invocation) -> AsyncIterator[CriClient]:
    """A client of the chosen endpoint. Raises what check_listening raises, and InvalidArgument."""
    endpoint = invocation.chosen_endpoint()
    check_listening(endpoint)
    from podwright.cri.client import CriClient  # noqa: PLC0415 # gRPC takes 80 ms to import

    async with CriClient(endpoint) as cri:
        yield cri


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end. SIGINT and SIGTERM cancel it, so that it can clean up.

    Afterwards raises KeyboardInterrupt or Terminated.
    """
    return asyncio.run(_until_signal(work))


async def _until_signal(work: Coroutine[Any, Any, Result]) -> Result:
    task = asyncio.current_task()
    received: list[int] = []

    def stop() -> None:
        received.append(signal.SIGTERM)
        if task is not None:
            task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        return await work
    except asyncio.CancelledError:
        if received:
            raise Terminated from None
        raise
