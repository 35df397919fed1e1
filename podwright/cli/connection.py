"""A checked connection to the chosen endpoint, and a runner for async code of commands.

gRPC is imported when a connection is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

from podwright.cli.failures import Terminated
from podwright.cli.invocation import Invocation
from podwright.cri.endpoint import DEFAULT_ENDPOINT, socket_path
from podwright.cri.reaching import why_unreachable
from podwright.errors import PermissionDenied, Unavailable

if TYPE_CHECKING:
    from podwright.cri.client import CriClient

Result = TypeVar("Result")

EMBEDDED_ENDPOINT = "unix:///run/podwright/embedded/podwright.sock"  # of podwright agent --embedded, by default
SILENT_S = 5.0  # until a person hears that a server does not answer


def check_listening(endpoint: str) -> None:
    """Fail at once, with a clear message, if no process listens. Raises Unavailable and PermissionDenied."""
    failure = why_unreachable(endpoint)
    if isinstance(failure, PermissionDenied):
        raise failure
    if failure is not None:
        raise Unavailable(failure.message, hint=_way_out(endpoint))


def _way_out(endpoint: str) -> str:
    """What to do when no process listens on the endpoint."""
    if endpoint == DEFAULT_ENDPOINT and why_unreachable(EMBEDDED_ENDPOINT) is None:
        return f"the agent has a runtime of its own: --endpoint {EMBEDDED_ENDPOINT}"
    return "start podwright serve, or choose another socket with --endpoint"


@contextlib.asynccontextmanager
async def connected(invocation: Invocation) -> AsyncIterator[CriClient]:
    """A client of the chosen endpoint. Raises what check_listening raises, and InvalidArgument."""
    endpoint = invocation.chosen_endpoint()
    check_listening(endpoint)
    from podwright.cri.client import CriClient  # noqa: PLC0415 # gRPC takes 80 ms to import

    async with CriClient(endpoint) as cri:
        telling = asyncio.create_task(_tell_of_silence(cri), name="tell of a silent server")
        try:
            yield cri
        finally:
            telling.cancel()


async def _tell_of_silence(cri: CriClient) -> None:
    """Say on stderr that the process behind the socket does not speak. Calls end only after minutes then."""
    await asyncio.sleep(SILENT_S)
    if cri.channel.get_state().name == "CONNECTING":
        click.echo(f"podwright: {socket_path(cri.endpoint)} does not answer yet, waiting (Ctrl-C ends it)", err=True)


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
