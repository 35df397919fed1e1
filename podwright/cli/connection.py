"""A checked connection to the chosen endpoint, and a runner for async code of commands.

gRPC is imported when a connection is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from podwright.cli.failures import Terminated
from podwright.cli.invocation import Invocation
from podwright.cri.endpoint import socket_path
from podwright.errors import PermissionDenied, Unavailable

if TYPE_CHECKING:
    from podwright.cri.client import CriClient

Result = TypeVar("Result")


def check_listening(endpoint: str) -> None:
    """Fail at once, with a clear message, if no process listens. Raises Unavailable and PermissionDenied."""
    path = socket_path(endpoint)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except PermissionError as failure:
            raise PermissionDenied(f"no permission to open {path}", hint="run podwright as root") from failure
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as failure:
            raise Unavailable(
                f"no process listens on {path}",
                hint="start podwright serve, or choose another socket with --endpoint",
            ) from failure
        except OSError as failure:
            raise Unavailable(f"cannot connect to {path}: {os.strerror(failure.errno or 0)}") from failure


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
