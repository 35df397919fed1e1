"""Port-forward: a TCP connection to a port as the programs inside a pod reach it, on their localhost.

A socket belongs for ever to the network namespace of the thread that made it. So only making it needs a thread that
enters the pod's namespace; connecting and copying is the event loop's work.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket

from podwright.errors import DeadlineExceeded, FailedPrecondition
from podwright.linux import libc, namespaces
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.network.threads import in_fresh_thread

CONNECT_TIMEOUT_S = 30.0
ADDRESSES = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}  # in the order in which they are tried


def check(sandbox: Sandbox) -> None:
    """Raises FailedPrecondition when nothing can be forwarded to it."""
    if sandbox.state is not SandboxState.READY:
        raise FailedPrecondition(f"sandbox {sandbox.id[:12]} is not ready")


async def dial(sandbox: Sandbox, port: int) -> socket.socket:
    """A connected, non-blocking socket. Raises FailedPrecondition when nothing listens, and DeadlineExceeded."""
    check(sandbox)
    candidates: list[socket.socket] = []
    try:
        await _make_sockets(sandbox, candidates)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            connected = await _first_connected(candidates, port)
    except TimeoutError as late:
        raise DeadlineExceeded(f"port {port} of sandbox {sandbox.id[:12]} does not answer") from late
    except OSError as failure:
        message = f"port {port} of sandbox {sandbox.id[:12]}: {os.strerror(failure.errno or errno.EIO)}"
        raise FailedPrecondition(message) from failure
    finally:
        for candidate in candidates:
            candidate.close()
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


async def _first_connected(candidates: list[socket.socket], port: int) -> socket.socket:
    """The first that can connect, taken out of the list. Raises the first one's OSError when none can."""
    failures: list[OSError] = []
    for candidate in list(candidates):
        try:
            await asyncio.get_running_loop().sock_connect(candidate, (ADDRESSES[candidate.family], port))
        except OSError as failure:
            failures.append(failure)
        else:
            candidates.remove(candidate)
            return candidate
    raise failures[0] if failures else OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))


async def _make_sockets(sandbox: Sandbox, made: list[socket.socket]) -> None:
    """A socket per address family, in the pod's network namespace. Raises OSError."""
    if not sandbox.netns:
        _add_sockets(made)
        return

    def inside() -> None:
        fd = os.open(sandbox.netns, os.O_RDONLY | os.O_CLOEXEC)
        try:
            libc.setns(fd, namespaces.CLONE_NEWNET)
        finally:
            os.close(fd)
        _add_sockets(made)

    await in_fresh_thread(inside)


def _add_sockets(made: list[socket.socket]) -> None:
    for family in ADDRESSES:
        try:
            made.append(socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        except OSError:
            if family is socket.AF_INET:  # a kernel without IPv6 is fine
                raise
