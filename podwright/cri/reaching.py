"""Whether a process listens on an endpoint, in words for people instead of gRPC's."""

from __future__ import annotations

import os
import socket

from podwright.cri.endpoint import socket_path
from podwright.errors import PermissionDenied, PodwrightError, Unavailable


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
