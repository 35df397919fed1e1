"""What a pod's first process is given: its sandbox's user and profiles, and nobody's rights otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.runtime.model.base import IdMapping, NamespaceOptions, Resources, UserNamespace
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxSecurity, SandboxState
from podwright.runtime.oci_spec.names import sandbox_annotations
from podwright.runtime.oci_spec.sandbox import Confinement, spec

FEW = (IdMapping(host_id=100000, container_id=0, length=1000),)
MANY = (IdMapping(host_id=100000, container_id=0, length=65536),)


def _mapped(mappings: tuple[IdMapping, ...]) -> NamespaceOptions:
    return NamespaceOptions(user=UserNamespace(uids=mappings, gids=mappings))


def _spec(security: SandboxSecurity, confinement: Confinement | None = None) -> dict[str, Any]:
    sandbox = Sandbox(
        id=SandboxId("i" * 64),
        config=SandboxConfig(name=SandboxName(name="n", namespace="ns", uid="u"), security=security),
        handler="crun",
        state=SandboxState.CREATING,
        created_at=1,
    )
    return spec(sandbox, pins={}, cgroups_path="/c", oom_score_adj=0, confinement=confinement or Confinement())


@pytest.mark.parametrize(
    ("security", "user"),
    [
        (SandboxSecurity(), (65534, 65534, [])),
        (SandboxSecurity(supplemental_groups=(7, 8)), (65534, 65534, [7, 8])),
        (SandboxSecurity(run_as_user=5), (5, 0, [])),
        (SandboxSecurity(run_as_user=0, run_as_group=6), (0, 6, [])),
        (SandboxSecurity(namespaces=_mapped(MANY)), (65534, 65534, [])),
        (SandboxSecurity(namespaces=_mapped(FEW)), (0, 0, [])),
        (SandboxSecurity(namespaces=_mapped(FEW), run_as_user=9, run_as_group=9), (9, 9, [])),
    ],
)
def test_user(security: SandboxSecurity, user: tuple[int, int, list[int]]) -> None:
    given = _spec(security)["process"]["user"]
    assert (given["uid"], given["gid"], given["additionalGids"]) == user


def test_profiles() -> None:
    profile = {"defaultAction": "SCMP_ACT_ERRNO"}
    confined = _spec(SandboxSecurity(), Confinement(seccomp=profile, apparmor_profile="p"))
    assert confined["linux"]["seccomp"] == profile
    assert confined["process"]["apparmorProfile"] == "p"
    free = _spec(SandboxSecurity())
    assert "seccomp" not in free["linux"]
    assert "apparmorProfile" not in free["process"]


def test_it_holds_no_rights() -> None:
    process = _spec(SandboxSecurity(privileged=True))["process"]
    assert process["noNewPrivileges"]
    assert not process.get("capabilities")


@pytest.mark.parametrize("security", [SandboxSecurity(), SandboxSecurity(namespaces=_mapped(MANY))])
def test_devices_are_not_made_in_the_shared_root(security: SandboxSecurity) -> None:
    (dev,) = [mount for mount in _spec(security)["mounts"] if mount["destination"] == "/dev"]
    assert dev["type"] == "tmpfs"
    assert "nodev" not in dev["options"]


def test_whose_it_is_and_how_large() -> None:
    """As containerd writes it: shims of virtual machines size the machine by it."""
    resources = Resources(cpu_period=100000, cpu_quota=50000, cpu_shares=512, memory_limit_bytes=1 << 30)
    name = SandboxName(name="n", namespace="ns", uid="u")
    sandbox = Sandbox(
        id=SandboxId("i" * 64),
        config=SandboxConfig(name=name, log_directory="/logs", resources=resources),
        handler="kata",
        state=SandboxState.CREATING,
        created_at=1,
    )
    assert sandbox_annotations(sandbox) == {
        "io.kubernetes.cri.container-type": "sandbox",
        "io.kubernetes.cri.sandbox-id": "i" * 64,
        "io.kubernetes.cri.sandbox-name": "n",
        "io.kubernetes.cri.sandbox-namespace": "ns",
        "io.kubernetes.cri.sandbox-uid": "u",
        "io.kubernetes.cri.sandbox-cpu-period": "100000",
        "io.kubernetes.cri.sandbox-cpu-quota": "50000",
        "io.kubernetes.cri.sandbox-cpu-shares": "512",
        "io.kubernetes.cri.sandbox-memory": str(1 << 30),
        "io.kubernetes.cri.sandbox-log-directory": "/logs",
    }
