"""Makes listening sockets.

This module imports nothing heavy: ports are bound before the agent's modules are loaded.
"""

from __future__ import annotations

import os
import socket
import stat

from podwright.errors import FailedPrecondition, reason

PROBE_S = 1.0  # for the program that may listen on the socket's path
BACKLOG = 128
SOCKET_MODE = 0o600


def listen_tcp(address: str, port: int) -> socket.socket:
    """A listening socket. `::` accepts both families if the host allows it. Raises FailedPrecondition."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(BACKLOG)
    except OSError as failure:
        listening.close()
        raise FailedPrecondition(
            f"cannot listen on {address}:{port}: {failure.strerror}", hint="is another kubelet or agent running?"
        ) from failure
    return listening


def listen_unix(path: str) -> socket.socket:
    """A listening socket that only its owner may use. Replaces a socket that nobody listens on.

    Raises FailedPrecondition.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        os.makedirs(os.path.dirname(path), mode=0o711, exist_ok=True)
        _clear(path)
        os.fchmod(listening.fileno(), SOCKET_MODE)  # bind then makes the file with this mode (unix(7))
        listening.bind(path)
        listening.listen(BACKLOG)
    except OSError as failure:
        listening.close()
        raise FailedPrecondition(f"cannot listen on {path}: {reason(failure, path=path)}") from failure
    except FailedPrecondition:
        listening.close()
        raise
    return listening


def _clear(path: str) -> None:
    """Remove a socket that an agent left behind. Raises FailedPrecondition for any other file, and OSError."""
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise FailedPrecondition(f"{path} exists and is not a socket", hint="choose another --agent-socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except TimeoutError:  # its queue is full: another agent is busy
            pass
    raise FailedPrecondition(f"another agent listens on {path}", hint="stop it, or choose another --agent-socket")
