"""Records and stores for the tests of events and lists."""

from __future__ import annotations

from pathlib import Path

from podwright.runtime.model.container import Container, ContainerConfig, ContainerState, ImageSpec, User
from podwright.runtime.model.ids import ContainerId, ImageId, SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxState
from podwright.runtime.state import Database, Store


def sandbox(state: SandboxState = SandboxState.READY, *, key: str = "s1", **labels: str) -> Sandbox:
    """A sandbox that is called after its id."""
    return Sandbox(
        id=SandboxId(key),
        config=SandboxConfig(name=SandboxName(name=key, namespace="ns", uid=f"uid-{key}"), labels=labels),
        handler="crun",
        state=state,
        created_at=1,
    )


def container(
    state: ContainerState = ContainerState.RUNNING, *, key: str = "c1", inside: str = "s1", **labels: str
) -> Container:
    """A container that is called after its id."""
    return Container(
        id=ContainerId(key),
        sandbox_id=SandboxId(inside),
        config=ContainerConfig(name=key, image=ImageSpec(image="busybox"), labels=labels),
        state=state,
        created_at=2,
        image_id=ImageId("sha256:1"),
        image_name="busybox:1",
        image_ref="busybox@sha256:1",
        log_path="",
        user=User(uid=0, gid=0),
        stop_signal=15,
        cgroup="/x",
    )


class Stores:
    """The two stores on a database of their own."""

    def __init__(self, root: Path) -> None:
        self.database = Database(str(root))
        self.sandboxes: Store[Sandbox] = Store(
            self.database, Sandbox, table="sandboxes", label="sandbox", id_of=lambda r: r.id, name_of=lambda r: (r.id,)
        )
        self.containers: Store[Container] = Store(
            self.database,
            Container,
            table="containers",
            label="container",
            id_of=lambda r: r.id,
            name_of=lambda r: (r.id,),
            group_of=lambda r: r.sandbox_id,
        )
