"""Answers for failures, in the kubelet's format: plain text."""

from __future__ import annotations

from podwright.agent.server.http.messages import HttpResponse, text
from podwright.errors import NotFound, PodwrightError, ResourceExhausted

POD_MISSING = "pod does not exist"


def of_stream(failure: PodwrightError) -> HttpResponse:
    """The answer for a failure of Exec, Attach or PortForward (cri-streaming, errors.go)."""
    if isinstance(failure, NotFound):
        return text(str(failure), 404)
    if isinstance(failure, ResourceExhausted):
        return text(str(failure), 429, headers=(("retry-after", "60"),))
    return text(str(failure), 500)


def plain(message: str, status: int) -> HttpResponse:
    """An answer like that of Go's `http.Error`."""
    return text(f"{message}\n", status, headers=(("x-content-type-options", "nosniff"),))
