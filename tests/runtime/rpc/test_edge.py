"""What a request or a response is about, of every message that the services have."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from podwright.cri.v1 import api_pb2 as api
from podwright.runtime.rpc.edge import ids_of
from podwright.runtime.rpc.server import SERVICES

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
