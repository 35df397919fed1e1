"""How the end of a container is recorded, whatever ran it: it is EXITED, with a code, a reason and a time."""

from __future__ import annotations

import logging

import msgspec

from podwright.runtime.handlers.protocol import UNKNOWN, UNKNOWN_CODE, Exit
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.state import Store

log = logging.getLogger(__name__)

START_ERROR, START_ERROR_CODE = "StartError", 128


def record_end(store: Store[Container], container: Container, end: Exit) -> Container:
    """The container with its end, committed. It does not end before its start."""
    return store.observe(
        msgspec.structs.replace(
            container,
            state=ContainerState.EXITED,
            finished_at=max(end.finished_at, container.started_at),
            exit_code=end.code,
            reason=end.reason,
            message=end.message,
        )
    )


def failed_start(failure: BaseException, now: int) -> Exit:
    """The end of a container whose start failed."""
    message = str(failure) or type(failure).__name__
    return Exit(code=START_ERROR_CODE, reason=START_ERROR, finished_at=now, message=message)


def unknown_end(message: str, now: int) -> Exit:
    """An end that nobody saw."""
    return Exit(code=UNKNOWN_CODE, reason=UNKNOWN, finished_at=now, message=message)


def write_off(store: Store[Container], container: Container, why: str) -> None:
    """Record that a container which can never be started has exited, so that a kubelet replaces it."""
    container = store.get(container.id)
    if container.state is ContainerState.CREATED:
        log.warning("container cannot be started: id=%s reason=%s", container.id[:12], why)
        record_end(store, container, unknown_end(f"it was not started yet when {why}", store.now()))
