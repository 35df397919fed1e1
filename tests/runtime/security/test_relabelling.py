"""SELinux labels of containers and of their volumes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.errors import InvalidArgument
from podwright.linux import selinux
from podwright.linux.selinux import DEFAULT_CONTEXTS
from podwright.runtime.model.base import SelinuxOptions
from podwright.runtime.model.container import ContainerConfig, ContainerSecurity, ImageSpec, Mount
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxState
from podwright.runtime.security.relabelling import relabel
from podwright.runtime.security.selinux import of_container

SANDBOX = Sandbox(
    id=SandboxId("s"),
    config=SandboxConfig(name=SandboxName(name="n", namespace="ns", uid="u")),
    handler="crun",
    state=SandboxState.READY,
    created_at=1,
    selinux_level="s0:c1,c2",
)


def _config(**security: object) -> ContainerConfig:
    return ContainerConfig(name="c", image=ImageSpec(image="i"), security=ContainerSecurity(**security))  # type: ignore[arg-type] # keywords of a test


def test_a_container_has_its_pods_but_for_what_it_asks_for() -> None:
    assert of_container(None, SANDBOX, _config()) is None
    plain = of_container(DEFAULT_CONTEXTS, SANDBOX, _config())
    assert plain is not None
    assert str(plain.process) == "system_u:system_r:container_t:s0:c1,c2"
    own = of_container(DEFAULT_CONTEXTS, SANDBOX, _config(selinux=SelinuxOptions(type="own_t")))
    assert own is not None
    assert str(own.process) == "system_u:system_r:own_t:s0:c1,c2"
    open_ = of_container(DEFAULT_CONTEXTS, SANDBOX, _config(privileged=True))
    assert open_ is not None
    assert open_.process.type == "spc_t"


@pytest.mark.root
def test_volumes_are_relabelled_when_they_ask_for_it(tmp_path: Path) -> None:
    own = of_container(DEFAULT_CONTEXTS, SANDBOX, _config())
    wanted, other = tmp_path / "wanted", tmp_path / "other"
    for path in (wanted, other):
        path.mkdir()
    mounts = (
        Mount(container_path="/a", host_path=str(wanted), selinux_relabel=True),
        Mount(container_path="/b", host_path=str(other)),
    )
    relabel("c", mounts, None)
    assert os.listxattr(wanted) == []
    relabel("c", mounts, own)
    assert os.getxattr(wanted, selinux.ATTRIBUTE) == b"system_u:object_r:container_file_t:s0:c1,c2\0"
    assert os.listxattr(other) == []


def test_the_host_is_not_relabelled() -> None:
    mounts = (Mount(container_path="/a", host_path="/etc", selinux_relabel=True),)
    with pytest.raises(InvalidArgument, match="container c: /etc cannot be relabelled"):
        relabel("c", mounts, DEFAULT_CONTEXTS)
