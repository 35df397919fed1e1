"""Whether a process listens on an endpoint, in words for people, and which failures of gRPC ask for them."""

from __future__ import annotations

import os
import re
import socket

from podwright.cri.endpoint import socket_path
from podwright.errors import PermissionDenied, PodwrightError, Unavailable

# gRPC gives nothing better to decide by than its words. A server that stops refuses calls with the code of a broken
# connection (UNAVAILABLE), neither has metadata, and the channel may be READY or IDLE after both.
_NO_CONNECTION = re.compile(
    "failed to connect|all backends|empty address list|Socket closed|GOAWAY|Stream removed|[Ee]ndpoint"
    "|recvmsg|sendmsg|[Cc]onnection reset|Broken pipe|unix:"
)


def is_of_the_connection(message: str) -> bool:
    """Whether gRPC says by it that a connection failed or broke. The words of a server are none of these."""
    return _NO_CONNECTION.search(message) is not None


def why_unreachable(endpoint: str) -> PodwrightError | None:
    """Why no connection can be made: PermissionDenied or Unavailable, or None if one can. Does not wait."""
    path = socket_path(endpoint)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            return Unavailable(f"the process that listens on {path} accepts no connection, it or the machine may hang")
        except PermissionError:
            return PermissionDenied(f"no permission to open {path}", hint="run podwright as root")
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return Unavailable(f"no process listens on {path}")
        except OSError as failure:
            return Unavailable(f"cannot connect to {path}: {os.strerror(failure.errno or 0)}")
    return None
