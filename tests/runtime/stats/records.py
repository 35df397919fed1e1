"""Records of containers and sandboxes, as short as tests want them."""

from __future__ import annotations

from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container, ContainerConfig, ContainerState, ImageSpec, User
from podwright.runtime.model.ids import ContainerId, ImageId, SandboxId
from podwright.runtime.model.sandbox import Attachment, Sandbox, SandboxConfig, SandboxName, SandboxState
from podwright.runtime.model.usage import InterfaceUsage

UID = "0e5b7a0c-1111-2222-3333-444455556666"
SANDBOX = SandboxId("5" * 64)
CONTAINER = ContainerId("c" * 64)


def sandbox(*, parent: str = "", cgroup_parent: str | None = None, uid: str = UID) -> Sandbox:
    """`parent` as the request names it; the record's own follows from it as the service has it."""
    return Sandbox(
        id=SANDBOX,
        config=SandboxConfig(
            name=SandboxName(name="web", namespace="prod", uid=uid),
            labels={"app": "web"},
            annotations={"note": "x"},
            cgroup_parent=parent,
        ),
        handler="crun",
        state=SandboxState.READY,
        created_at=1,
        attachment=Attachment(backend="bridge", interface="eth0"),
        cgroup_parent=(parent or f"/podwright/{SANDBOX}") if cgroup_parent is None else cgroup_parent,
    )


def container(resources: Resources | None = None, *, image: str = "registry/app:1") -> Container:
    """A running container."""
    return Container(
        id=CONTAINER,
        sandbox_id=SANDBOX,
        config=ContainerConfig(
            name="main",
            attempt=2,
            image=ImageSpec(image=image, user_specified_image=image),
            labels={"tier": "front"},
            annotations={"note": "y"},
        ),
        state=ContainerState.RUNNING,
        created_at=1,
        started_at=5_000_000_000,
        image_id=ImageId("sha256:1"),
        image_name="registry/app:1",
        image_ref="registry/app@sha256:1",
        log_path="",
        user=User(uid=0, gid=0),
        stop_signal=15,
        cgroup=f"/podwright/{CONTAINER}",
        resources=resources or Resources(),
    )


def interface(name: str = "eth0") -> InterfaceUsage:
    """With another number in each counter."""
    return InterfaceUsage(
        name=name,
        rx_packets=1,
        tx_packets=2,
        rx_bytes=3,
        tx_bytes=4,
        rx_errors=5,
        tx_errors=6,
        rx_dropped=7,
        tx_dropped=8,
    )
