"""Requests that no sane client makes, through a real socket: a clear error or a success, and the daemon lives on."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podwright.conformance.patience import patient
from podwright.cri.client import CHANNEL_OPTIONS, MESSAGE_LIMIT_BYTES
from podwright.cri.v1 import api_pb2 as api
from podwright.cri.v1 import api_pb2_grpc
from tests.faults.audit import settled
from tests.faults.node import Node
from tests.faults.spoiled import TEXTS, Spoiler
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright

pytestmark = [pytest.mark.root]

Code = grpc.StatusCode
REFUSALS = frozenset(
    {Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.FAILED_PRECONDITION, Code.ALREADY_EXISTS, Code.RESOURCE_EXHAUSTED}
)
CALL_TIMEOUT_S = patient(60.0)
hostile = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@dataclass
class Target:
    """A daemon and blocking stubs for it."""

    server: Podwright
    runtime: Any
    images: Any
    channel: grpc.Channel
    image: str

    def config(self, name: str = "pod") -> api.PodSandboxConfig:
        """A sandbox that works, until it is spoiled; on the host's network, which is quicker."""
        security = api.LinuxSandboxSecurityContext(
            namespace_options=api.NamespaceOption(network=api.NODE, pid=api.CONTAINER)
        )
        return api.PodSandboxConfig(
            metadata=api.PodSandboxMetadata(name=name, uid=name, namespace="hostile"),
            log_directory=str(self.server.directory / "logs"),
            linux=api.LinuxPodSandboxConfig(cgroup_parent=self.server.part.pod_parent, security_context=security),
        )

    def spoiler(self, data: st.DataObject) -> Spoiler:
        """For this daemon's part of the host."""
        folder = str(self.server.directory / "hostile")
        return Spoiler(data, folder=folder, cgroup_parent=self.server.part.pod_parent)

    def run(self, config: api.PodSandboxConfig) -> str:
        """RunPodSandbox; the id."""
        request = api.RunPodSandboxRequest(config=config)
        return str(self.runtime.RunPodSandbox(request, timeout=CALL_TIMEOUT_S).pod_sandbox_id)

    def remove(self, sandbox_id: str) -> None:
        """RemovePodSandbox, which stops it first."""
        request = api.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
        self.runtime.RemovePodSandbox(request, timeout=CALL_TIMEOUT_S)


@pytest.fixture
def target(fresh_podwright: FreshPodwright, busybox_image: str) -> Iterator[Target]:
    """A daemon that must be alive and tidy at the end."""
    server = fresh_podwright({"log_level": "info"})
    with grpc.insecure_channel(server.endpoint, options=CHANNEL_OPTIONS) as channel:
        runtime, images = api_pb2_grpc.RuntimeServiceStub(channel), api_pb2_grpc.ImageServiceStub(channel)
        images.PullImage(api.PullImageRequest(image=api.ImageSpec(image=busybox_image)), timeout=CALL_TIMEOUT_S)
        yield Target(server=server, runtime=runtime, images=images, channel=channel, image=busybox_image)
        runtime.Version(api.VersionRequest(), timeout=CALL_TIMEOUT_S)
        assert list(runtime.ListPodSandbox(api.ListPodSandboxRequest(), timeout=CALL_TIMEOUT_S).items) == []
    assert settled(server) == []
    assert "Traceback" not in server.log.read_text()


def refusal(failure: grpc.RpcError, allowed: frozenset[grpc.StatusCode] = REFUSALS) -> None:
    """One of the codes that blame the request, with words for people."""
    code, details = failure.code(), failure.details()
    assert code in allowed, details
    assert details
    assert len(details) <= 4096
    assert "Traceback" not in details
    assert ".py" not in details


@hostile
@given(data=st.data())
def test_sandboxes(target: Target, data: st.DataObject) -> None:
    request = api.RunPodSandboxRequest(config=target.config())
    if data.draw(st.booleans()):
        request.config.linux.security_context.namespace_options.network = api.POD
    for _ in range(data.draw(st.integers(1, 3))):
        target.spoiler(data).spoil(request.config)
    try:
        made = target.runtime.RunPodSandbox(request, timeout=CALL_TIMEOUT_S).pod_sandbox_id
    except grpc.RpcError as failure:
        refusal(failure)
        return
    verbose = api.PodSandboxStatusRequest(pod_sandbox_id=made, verbose=True)
    shown = target.runtime.PodSandboxStatus(verbose, timeout=CALL_TIMEOUT_S).status
    assert shown.metadata == request.config.metadata
    assert shown.annotations == request.config.annotations
    target.remove(made)


@hostile
@given(data=st.data())
def test_containers(target: Target, data: st.DataObject) -> None:
    sandbox = target.config()
    sandbox_id = target.run(sandbox)
    config = api.ContainerConfig(
        metadata=api.ContainerMetadata(name="main"),
        image=api.ImageSpec(image=target.image),
        command=["true"],
        log_path="main.log",
    )
    request = api.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=config, sandbox_config=sandbox)
    try:
        for _ in range(data.draw(st.integers(1, 3))):
            target.spoiler(data).spoil(request.config)
        made = target.runtime.CreateContainer(request, timeout=CALL_TIMEOUT_S).container_id
        verbose = api.ContainerStatusRequest(container_id=made, verbose=True)
        shown = target.runtime.ContainerStatus(verbose, timeout=CALL_TIMEOUT_S).status
        assert shown.labels == request.config.labels
        target.runtime.StartContainer(api.StartContainerRequest(container_id=made), timeout=CALL_TIMEOUT_S)
    except grpc.RpcError as failure:
        refusal(failure, REFUSALS | {Code.UNKNOWN})  # what only the OCI runtime can judge is in its words
    finally:
        target.remove(sandbox_id)


OTHERS = [
    (service.name, method)
    for service in api.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if method.name not in {"RunPodSandbox", "CreateContainer"}
]
HEARS = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done")
ENDLESS_S = 0.3  # for what streams until its client goes


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What requests may name: a pod with a container that runs and one that does not."""

    sandbox: str
    running: str
    created: str
    image: str

    def name(self, request: Any, data: st.DataObject) -> None:
        """Put something that is there where the request names something."""
        containers = (self.running, self.created)
        for field in request.DESCRIPTOR.fields:
            if field.name == "pod_sandbox_id":
                request.pod_sandbox_id = self.sandbox
            elif field.name == "container_id":
                request.container_id = data.draw(st.sampled_from(containers))
            elif field.name == "image" and field.message_type is not None:
                request.image.image = self.image
            elif field.name == "cmd":
                request.cmd.append("true")
            elif field.name in {"stdout", "stdin"}:
                setattr(request, field.name, True)


@contextlib.contextmanager
def scene(target: Target) -> Iterator[Scene]:
    """A new one; taken down whatever the requests have left of it."""
    target.images.PullImage(api.PullImageRequest(image=api.ImageSpec(image=target.image)), timeout=CALL_TIMEOUT_S)
    config = target.config()
    sandbox = target.run(config)
    ids = []
    for name in ("running", "created"):
        container = api.ContainerConfig(
            metadata=api.ContainerMetadata(name=name),
            image=api.ImageSpec(image=target.image),
            command=HEARS,
            log_path=f"{name}.log",
        )
        request = api.CreateContainerRequest(pod_sandbox_id=sandbox, config=container, sandbox_config=config)
        ids.append(target.runtime.CreateContainer(request, timeout=CALL_TIMEOUT_S).container_id)
    target.runtime.StartContainer(api.StartContainerRequest(container_id=ids[0]), timeout=CALL_TIMEOUT_S)
    try:
        yield Scene(sandbox=sandbox, running=ids[0], created=ids[1], image=target.image)
    finally:
        target.remove(sandbox)


@settings(hostile, max_examples=15)
@given(data=st.data(), order=st.integers(0, 1 << 30))
def test_every_other_call(target: Target, data: st.DataObject, order: int) -> None:
    """Each of the contract in some order, with any message, on what is there or not."""
    with scene(target) as there:
        for service, method in random.Random(order).sample(OTHERS, len(OTHERS)):
            request = getattr(api, method.input_type.name)()
            if data.draw(st.booleans()):
                there.name(request, data)
            for _ in range(data.draw(st.integers(0, 2)) if request.DESCRIPTOR.fields else 0):
                target.spoiler(data).spoil(request)
            stub = target.runtime if service == "RuntimeService" else target.images
            answered(getattr(stub, method.name), request, endless=method.name == "GetContainerEvents")


def answered(call: Any, request: Any, *, endless: bool) -> None:
    """By a success, or by a code that blames the request or the host."""
    allowed = REFUSALS | {Code.UNIMPLEMENTED, Code.UNKNOWN, Code.PERMISSION_DENIED, Code.UNAVAILABLE}
    try:
        answer = call(request, timeout=ENDLESS_S if endless else CALL_TIMEOUT_S)
        if isinstance(answer, Iterator):
            for _ in answer:
                pass
    except grpc.RpcError as failure:
        if not (endless and failure.code() is Code.DEADLINE_EXCEEDED):
            refusal(failure, allowed)


ID_CALLS: dict[str, Any] = {
    "StopPodSandbox": api.StopPodSandboxRequest,
    "RemovePodSandbox": api.RemovePodSandboxRequest,
    "PodSandboxStatus": api.PodSandboxStatusRequest,
    "CreateContainer": api.CreateContainerRequest,
    "StartContainer": api.StartContainerRequest,
    "StopContainer": api.StopContainerRequest,
    "RemoveContainer": api.RemoveContainerRequest,
    "ContainerStatus": api.ContainerStatusRequest,
    "ExecSync": api.ExecSyncRequest,
    "ReopenContainerLog": api.ReopenContainerLogRequest,
    "StartPodSandbox": api.StartPodSandboxRequest,
    "PodSandboxStats": api.PodSandboxStatsRequest,
    "UpdatePodSandboxResources": api.UpdatePodSandboxResourcesRequest,
    "PortForward": api.PortForwardRequest,
    "PauseContainer": api.PauseContainerRequest,
    "UnpauseContainer": api.UnpauseContainerRequest,
    "UpdateContainerResources": api.UpdateContainerResourcesRequest,
    "ContainerStats": api.ContainerStatsRequest,
    "Exec": api.ExecRequest,
    "Attach": api.AttachRequest,
}


def test_ids_of_nothing(target: Target) -> None:
    gone = target.run(target.config())
    target.remove(gone)
    for name, kind in ID_CALLS.items():
        for text in (gone, gone[:12], *TEXTS):
            of_sandbox = "Sandbox" in name or name in {"CreateContainer", "PortForward"}
            request = kind(**{"pod_sandbox_id" if of_sandbox else "container_id": text})
            if name == "CreateContainer":
                request.sandbox_config.CopyFrom(target.config())
                request.config.metadata.name = "main"
                request.config.image.image = target.image
            if name.startswith("Exec"):
                request.cmd.append("true")
            if name in {"Exec", "Attach"}:
                request.stdout = True
            if name == "UpdateContainerResources":
                request.linux.cpu_shares = 100
            try:
                getattr(target.runtime, name)(request, timeout=CALL_TIMEOUT_S)
            except grpc.RpcError as failure:
                refusal(failure, frozenset({Code.NOT_FOUND, Code.INVALID_ARGUMENT}))
            else:
                assert name.startswith(("Stop", "Remove"))  # which are done when there is nothing to do


def test_bytes_that_are_no_message(target: Target) -> None:
    payloads = (b"\xff", b"garbage" * 100, b"\x0a\x02\xff\xfe", b"\x0a\xff\xff\xff\xff\x0f")
    for name in ("RunPodSandbox", "PodSandboxStatus", "ListContainers"):
        call = target.channel.unary_unary(
            f"/runtime.v1.RuntimeService/{name}", request_serializer=bytes, response_deserializer=bytes
        )
        for payload in payloads:
            with pytest.raises(grpc.RpcError) as refused:
                call(payload, timeout=CALL_TIMEOUT_S)
            refusal(refused.value, frozenset({Code.INVALID_ARGUMENT}))


def test_a_method_that_is_not_there(target: Target) -> None:
    for path in ("/runtime.v1.RuntimeService/Nothing", "/runtime.v1alpha2.RuntimeService/Version", "/x/y"):
        call = target.channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=CALL_TIMEOUT_S)
        refusal(refused.value, frozenset({Code.UNIMPLEMENTED}))


def test_a_message_larger_than_the_limit(target: Target) -> None:
    config = target.config()
    config.annotations["large"] = "x" * (MESSAGE_LIMIT_BYTES + 1)
    options = [("grpc.max_send_message_length", -1), ("grpc.default_authority", "localhost")]
    with grpc.insecure_channel(target.server.endpoint, options=options) as channel:
        stub = api_pb2_grpc.RuntimeServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.RunPodSandbox(api.RunPodSandboxRequest(config=config), timeout=CALL_TIMEOUT_S)
    refusal(refused.value, frozenset({Code.RESOURCE_EXHAUSTED}))


def test_a_megabyte_in_every_text(target: Target) -> None:
    large = "x" * 1_000_000
    config = target.config()
    for field in ("hostname", "log_directory"):
        spoiled = api.PodSandboxConfig()
        spoiled.CopyFrom(config)
        setattr(spoiled, field, f"/{large}")
        with pytest.raises(grpc.RpcError) as refused:
            target.run(spoiled)
        refusal(refused.value, frozenset({Code.INVALID_ARGUMENT}))
    config.annotations["large"] = large
    target.remove(target.run(config))


async def test_a_tree_that_is_deeper_than_a_stack(node: Node) -> None:
    """A container may make one, and is removed like others."""
    pod = await node.pod()
    script = "i=0; while [ $i -lt 1500 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done"
    assert (await pod.exited(await pod.run(("sh", "-c", script)))).exit_code == 0
    await node.emptied()
