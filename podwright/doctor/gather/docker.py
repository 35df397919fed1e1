"""Asks the Docker Engine that the configuration names what it is."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from typing import Any

from podwright.doctor.facts import DockerFacts
from podwright.doctor.gather.programs import ANSWER_TIMEOUT_S
from podwright.errors import FailedPrecondition

ANSWER_LIMIT_BYTES = 4 * 1024 * 1024


def gather_docker(path: str) -> DockerFacts | None:
    """The facts of the Engine at a socket. None without a path. Blocks for ANSWER_TIMEOUT_S at most for each call."""
    if not path:
        return None
    try:
        version, info = _asked(path, "/version"), _asked(path, "/info")
    except (OSError, http.client.HTTPException, ValueError, FailedPrecondition) as failure:
        return DockerFacts(socket=path, error=str(failure) or type(failure).__name__)
    numbers = str(version.get("ApiVersion", "")).split(".")
    return DockerFacts(
        socket=path,
        version=str(version.get("Version", "")),
        api=tuple(int(number) for number in numbers if number.isdecimal()),
        storage=str(info.get("Driver", "")),
        live_restore=bool(info.get("LiveRestoreEnabled")),
    )


def _asked(path: str, what: str) -> dict[str, Any]:
    """The answer to one call. Raises OSError, HTTPException, ValueError and FailedPrecondition."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as connected:
        connected.settimeout(ANSWER_TIMEOUT_S)
        connected.connect(path)
        connection = http.client.HTTPConnection("docker")
        connection.sock = connected
        connection.request("GET", what)
        found = json.loads(connection.getresponse().read(ANSWER_LIMIT_BYTES))
    if not isinstance(found, dict):
        raise FailedPrecondition(f"{what}: the answer is not a JSON object")
    return found
