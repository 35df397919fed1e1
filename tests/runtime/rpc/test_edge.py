"""What a request or a response is about, of every message of the services, and what failures leave in the log."""

from __future__ import annotations

import errno
import logging

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, Internal
from podwright.runtime.rpc.edge import Edge, ids_of
from podwright.runtime.rpc.table import SERVICES
from podwright.timeline import Timeline

MESSAGES = [
    GetMessageClass(kind)
    for service in SERVICES
    for method in service.methods
    for kind in (method.input_type, method.output_type)
]


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.DESCRIPTOR.name)
def test_every_message_can_be_asked(kind: type[Message]) -> None:
    assert ids_of(kind()) == ()


@pytest.mark.parametrize(
    ("message", "ids"),
    [
        (api.StartContainerRequest(container_id="c"), ("c",)),
        (api.CreateContainerRequest(pod_sandbox_id="p"), ("p",)),
        (api.CreateContainerResponse(container_id="c"), ("c",)),
        (api.RunPodSandboxResponse(pod_sandbox_id="p"), ("p",)),
        (api.PullImageRequest(image=api.ImageSpec(image="i")), ("i",)),
        (api.ImageStatusResponse(image=api.Image(id="i")), ()),
        (b"encoded", ()),
    ],
)
def test_ids(message: object, ids: tuple[str, ...]) -> None:
    assert ids_of(message) == ids


class _Context:
    """As much of gRPC's context as a failure needs."""

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise grpc.aio.AbortError(f"{code.name}: {details}")


@pytest.mark.parametrize(
    ("failure", "code", "has_traceback"),
    [
        pytest.param(Internal("CNI network n, ADD: plugin p (code 999): no"), "INTERNAL", False, id="foreseen"),
        pytest.param(FailedPrecondition("no"), "FAILED_PRECONDITION", False, id="refused"),
        pytest.param(ValueError("no"), "INTERNAL", True, id="a mistake of ours"),
        pytest.param(OSError(errno.EIO, "no", "/f"), "INTERNAL", True, id="of the host"),
        pytest.param(OSError(errno.ENOSPC, "no", "/f"), "RESOURCE_EXHAUSTED", False, id="a full disk"),
    ],
)
async def test_only_what_nobody_foresaw_has_a_traceback_in_the_log(
    caplog: pytest.LogCaptureFixture, failure: Exception, code: str, has_traceback: bool
) -> None:
    async def method(_request: object, _context: object) -> None:
        raise failure

    edge = Edge(Timeline())
    edge.ready = True
    caplog.set_level(logging.INFO)
    with pytest.raises(grpc.aio.AbortError, match=f"^{code}: "):
        await edge.wrap("Method", method)(api.VersionRequest(), _Context())
    (record,) = (record for record in caplog.records if record.name == "podwright.runtime.rpc.edge")
    assert bool(record.exc_info) is has_traceback
    assert "no" in record.getMessage() or has_traceback
