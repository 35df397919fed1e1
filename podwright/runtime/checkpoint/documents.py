"""The JSON documents of a checkpoint archive, with the keys that checkpointctl and other runtimes read. Pure."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from podwright.runtime.model.container import Container
from podwright.runtime.model.sandbox import Sandbox

RUNNING = 1  # CRI's CONTAINER_RUNNING
NEVER = "0001-01-01T00:00:00Z"  # Go's zero time


def of_container(container: Container, spec: bytes, *, handler: str, now: int) -> dict[str, bytes]:
    """The documents by their names in the archive. `spec` is the OCI spec. `now` is in nanoseconds since the epoch."""
    return {
        "spec.dump": spec,
        "config.dump": _json(_config(container, handler, now)),
        "status.dump": _json(_cri_status(container)),
        "status": _json(_status(container)),
    }


def of_pod(sandbox: Sandbox, containers: dict[str, str]) -> bytes:
    """The content of a pod's checkpoint. `containers` are the archives by the containers' names."""
    name = sandbox.config.name
    document = {
        "id": sandbox.id,
        "metadata": {"name": name.name, "namespace": name.namespace, "uid": name.uid, "attempt": name.attempt},
        "runtimeHandler": sandbox.requested_handler,
        "createdTime": _time(sandbox.created_at),
        "containers": containers,
    }
    return _json(document)


def _config(container: Container, handler: str, now: int) -> dict[str, Any]:
    return {
        "id": container.id,
        "name": container.config.name,
        "rootfsImage": container.config.image.image,
        "rootfsImageRef": container.image_ref,
        "rootfsImageName": container.image_name,
        "runtime": handler,
        "createdTime": _time(container.created_at),
        "checkpointedTime": _time(now),
        "restoredTime": NEVER,
        "restored": False,
    }


def _cri_status(container: Container) -> dict[str, Any]:
    """CRI's ContainerStatus in Go's JSON format."""
    return {
        "id": container.id,
        "metadata": {"name": container.config.name, "attempt": container.config.attempt},
        "state": RUNNING,
        "created_at": container.created_at,
        "started_at": container.started_at,
        "image": {"image": container.image_name},
        "image_ref": container.image_ref,
        "image_id": container.image_id,
        "labels": container.config.labels,
        "annotations": container.config.annotations,
        "log_path": container.log_path,
    }


def _status(container: Container) -> dict[str, Any]:
    """containerd's own record."""
    return {
        "Version": "v1",
        "Pid": container.pid,
        "CreatedAt": container.created_at,
        "StartedAt": container.started_at,
        "FinishedAt": 0,
        "ExitCode": 0,
        "Reason": "",
        "Message": "",
    }


def _time(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
