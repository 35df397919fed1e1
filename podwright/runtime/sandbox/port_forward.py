"""Port-forward: a TCP connection to a port on a pod's localhost.

A socket belongs to the network namespace of the thread that made it. So only its creation needs a thread that enters
the pod's namespace. The event loop connects and copies.
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
ADDRESSES = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}  # in the order of the attempts


def check(sandbox: Sandbox) -> None:
    """Raises FailedPrecondition if the sandbox cannot be forwarded to."""
    if sandbox.state is not SandboxState.READY:
        raise FailedPrecondition(f"sandbox {sandbox.id[:12]} is not ready")


async def dial(sandbox: Sandbox, port: int) -> socket.socket:
    """A connected, non-blocking socket. Raises FailedPrecondition if no process listens, and DeadlineExceeded."""
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
    """Remove and return the first candidate that connects. If none does, raises the OSError of the first one."""
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
    """Make a socket per address family in the pod's network namespace. Raises OSError."""
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
            if family is socket.AF_INET:  # IPv6 may be missing in the kernel
                raise
