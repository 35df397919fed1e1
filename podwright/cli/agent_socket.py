"""HTTP requests to this machine's agent on its own socket, with the standard library, which loads fast."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import quote

from podwright.errors import Internal, NotFound, PermissionDenied, Unavailable

DEFAULT_PATH = "/run/podwright/agent.sock"
TIMEOUT_S = 10.0
ANSWER_LIMIT_BYTES = 256 * 1024 * 1024


def is_there(path: str = DEFAULT_PATH) -> bool:
    """Whether an agent listens here, or may: not where no socket is, or one that a killed agent has left."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(TIMEOUT_S)
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except OSError:
            return True
    return True


def ask(path: str, *steps: str) -> Any:
    """The agent's JSON answer for a URL path. Raises NotFound, Unavailable, PermissionDenied, Internal."""
    url = "/" + "/".join(quote(step, safe="") for step in steps)
    connection = _SocketConnection(path)
    try:
        connection.request("GET", url)
        answer = connection.getresponse()
        data = answer.read(ANSWER_LIMIT_BYTES + 1)
        return _read(answer.status, data, f"the agent at {path}")
    except PermissionError as failure:
        raise PermissionDenied(f"no permission to open {path}", hint="run podwright as root") from failure
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as failure:
        hint = "start podwright agent, or choose another socket with --agent-socket"
        raise Unavailable(f"no agent listens on {path}", hint=hint) from failure
    except (OSError, http.client.HTTPException) as failure:
        raise Unavailable(f"the agent at {path} does not answer: {failure or type(failure).__name__}") from failure
    finally:
        connection.close()


def _read(status: int, data: bytes, who: str) -> Any:
    if len(data) > ANSWER_LIMIT_BYTES:
        raise Internal(f"{who} answers with more than {ANSWER_LIMIT_BYTES >> 20} MiB")
    try:
        answer = json.loads(data)
    except ValueError as failure:
        raise Internal(f"{who} answers {status} without JSON", hint="is it Podwright's?") from failure
    if status == 404 and isinstance(answer, dict) and "error" in answer:
        raise NotFound(str(answer["error"]), hint=str(answer.get("hint") or ""))
    if status != 200:
        raise Internal(f"{who} answers {status}")
    return answer


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("agent", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)
