"""CRI's states as text for people."""

from __future__ import annotations

from podwright.cri.v1 import api_pb2 as api

CONTAINER_STATES = {
    "created": api.CONTAINER_CREATED,
    "running": api.CONTAINER_RUNNING,
    "exited": api.CONTAINER_EXITED,
    "unknown": api.CONTAINER_UNKNOWN,
}
POD_STATES = {"ready": api.SANDBOX_READY, "notready": api.SANDBOX_NOTREADY}

_CONTAINER_WORDS: dict[int, str] = {number: word.capitalize() for word, number in CONTAINER_STATES.items()}
_POD_WORDS: dict[int, str] = {api.SANDBOX_READY: "Ready", api.SANDBOX_NOTREADY: "NotReady"}


def container_state(number: int) -> str:
    """`Running` for CONTAINER_RUNNING, and so on. Unknown numbers of later API versions are shown as numbers."""
    return _CONTAINER_WORDS.get(number) or str(number)


def pod_state(number: int) -> str:
    """`Ready` or `NotReady`."""
    return _POD_WORDS.get(number) or str(number)
