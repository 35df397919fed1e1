"""Messages to a service manager that started this process: sd_notify(3)."""

from __future__ import annotations

import os
import socket

READY = "READY=1"
STOPPING = "STOPPING=1"


def notify(message: str, address: str | None = None) -> bool:
    """Send a message.

    Returns False if no service manager listens. Never raises, because a run must not fail for that.
    """
    target = address if address is not None else os.environ.get("NOTIFY_SOCKET", "")
    if not target.startswith(("/", "@")):
        return False
    path = "\0" + target[1:] if target.startswith("@") else target
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as client:
            client.sendto(message.encode(), socket.MSG_DONTWAIT, path)
    except OSError:
        return False
    return True
