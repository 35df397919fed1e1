"""protobuf to the model and back: nothing that CRI asks to be echoed is lost, and unknown numbers are refused."""

from __future__ import annotations

import pytest

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.runtime.model.base import ProfileType, SecurityProfile
from podwright.runtime.model.container import Container, ContainerState, User
from podwright.runtime.model.ids import ContainerId, ImageId, SandboxId
from podwright.runtime.model.sandbox import Attachment, Sandbox, SandboxState
from podwright.runtime.rpc import convert_base, convert_container, convert_sandbox
from podwright.runtime.rpc.edge import translate


def _sandbox_message() -> api.PodSandboxConfig:
    return api.PodSandboxConfig(
        metadata=api.PodSandboxMetadata(name="n", namespace="ns", uid="u", attempt=3),
        hostname="h",
        labels={"a": "b"},
        annotations={"c": "d"},
        linux=api.LinuxPodSandboxConfig(
            security_context=api.LinuxSandboxSecurityContext(
                namespace_options=api.NamespaceOption(
                    pid=api.CONTAINER,
                    userns_options=api.UserNamespace(uids=[api.IDMapping(host_id=1, container_id=0, length=2)]),
                )
            )
        ),
    )


def test_sandbox_echo() -> None:
    message = _sandbox_message()
    sandbox = Sandbox(
        id=SandboxId("i" * 64),
        config=convert_sandbox.config(message),
        handler="crun",
        requested_handler="",
        state=SandboxState.READY,
        created_at=7,
        attachment=Attachment(backend="bridge", ips=("10.0.0.1", "fd00::1")),
    )
    status = convert_sandbox.status(sandbox)
    assert status.metadata == message.metadata
    assert status.linux.namespaces.options == message.linux.security_context.namespace_options
    assert (status.network.ip, status.network.additional_ips[0].ip) == ("10.0.0.1", "fd00::1")
    assert dict(convert_sandbox.item(sandbox).annotations) == {"c": "d"}


def test_container_echo() -> None:
    message = api.ContainerConfig(
        metadata=api.ContainerMetadata(name="c", attempt=2),
        image=api.ImageSpec(image="i", user_specified_image="asked", annotations={"x": "y"}),
        envs=[api.KeyValue(key="K", value=b"\xff\x00x")],
        mounts=[
            api.Mount(
                container_path="/m",
                host_path="/h",
                propagation=api.PROPAGATION_BIDIRECTIONAL,
                uidMappings=[api.IDMapping(host_id=5, container_id=6, length=7)],
                mount_options=["noexec"],
            )
        ],
        linux=api.LinuxContainerConfig(
            resources=api.LinuxContainerResources(
                cpu_shares=5, unified={"a": "b"}, hugepage_limits=[api.HugepageLimit(page_size="2MB", limit=9)]
            )
        ),
    )
    config = convert_container.config(message)
    assert config.envs == (("K", "\ufffd\0x"),)
    container = Container(
        id=ContainerId("c" * 64),
        sandbox_id=SandboxId("s" * 64),
        config=config,
        state=ContainerState.RUNNING,
        created_at=1,
        image_id=ImageId("sha256:x"),
        image_name="name",
        image_ref="ref",
        log_path="/l",
        user=User(uid=1, gid=2, groups=(2, 3)),
        stop_signal=15,
        cgroup="/x",
        resources=config.resources,
    )
    status = convert_container.status(container)
    assert list(status.mounts) == list(message.mounts)
    assert status.resources.linux == message.linux.resources
    assert (status.image.image, status.image.user_specified_image, status.image_ref) == ("name", "asked", "ref")
    assert status.stop_signal == api.SIGNAL_SIGTERM
    assert list(status.user.linux.supplemental_groups) == [2, 3]


@pytest.mark.parametrize("field", ["pid", "ipc", "network"])
def test_unknown_enum_numbers_are_refused(field: str) -> None:
    message = api.NamespaceOption()
    setattr(message, field, 77)
    with pytest.raises(InvalidArgument, match="77"):
        convert_base.namespaces(message)


@pytest.mark.parametrize(
    ("fields", "profile"),
    [
        ({}, None),
        ({"seccomp_profile_path": "unconfined"}, SecurityProfile(kind=ProfileType.UNCONFINED)),
        ({"seccomp_profile_path": "docker/default"}, SecurityProfile(kind=ProfileType.RUNTIME_DEFAULT)),
        (
            {"seccomp_profile_path": "localhost//p.json"},
            SecurityProfile(kind=ProfileType.LOCALHOST, localhost_ref="/p.json"),
        ),
        (
            {
                "seccomp": api.SecurityProfile(profile_type=api.SecurityProfile.RuntimeDefault),
                "seccomp_profile_path": "unconfined",
            },
            SecurityProfile(kind=ProfileType.RUNTIME_DEFAULT),
        ),
    ],
    ids=["none", "unconfined", "docker", "localhost", "new-wins"],
)
def test_profiles(fields: dict[str, object], profile: SecurityProfile | None) -> None:
    message = api.LinuxContainerSecurityContext(**fields)  # type: ignore[arg-type] # mixed keywords
    assert convert_base.profile(message, "seccomp", message.seccomp_profile_path) == profile


def test_a_malformed_profile() -> None:
    message = api.LinuxContainerSecurityContext(seccomp_profile_path="strange")
    with pytest.raises(InvalidArgument, match="strange"):
        convert_base.profile(message, "seccomp", message.seccomp_profile_path)


def test_what_nobody_foresaw_is_told_without_its_details() -> None:
    assert "secret" not in str(translate(RuntimeError("secret")))
    assert "No space" in str(translate(OSError(28, "No space left", "/x"))) or "no space" in str(
        translate(OSError(28, "No space left", "/x"))
    )
