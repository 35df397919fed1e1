"""A pod's first process: its profiles are the sandbox's, and none that nobody asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.process import PosixProcessRunner
from podwright.runtime.model.base import ProfileType, SecurityProfile
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxSecurity, SandboxState
from podwright.runtime.oci_spec.builder import HostAbilities
from podwright.runtime.oci_spec.resources import CgroupAbilities
from podwright.runtime.oci_spec.sandbox import Confinement
from podwright.runtime.security.apparmor import AppArmor
from podwright.runtime.security.confining import PodConfinement, for_one_architecture
from podwright.runtime.security.profiles import Profiles

DEFAULT = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
    ],
}
RUNTIME_DEFAULT = SecurityProfile(kind=ProfileType.RUNTIME_DEFAULT)


async def _confinement(tmp_path: Path, **security: Any) -> Confinement:
    loaded = tmp_path / "profiles"
    loaded.write_text("podwright-default (enforce)\nmine (complain)\n")
    apparmor = AppArmor(PosixProcessRunner(), supported=True, default="podwright-default", profiles=str(loaded))
    host = HostAbilities(machine="x86_64", kernel="6.1", capabilities=frozenset(), cgroups=CgroupAbilities())
    sandbox = Sandbox(
        id=SandboxId("i" * 64),
        config=SandboxConfig(
            name=SandboxName(name="n", namespace="ns", uid="u"), security=SandboxSecurity(**security)
        ),
        handler="crun",
        state=SandboxState.CREATING,
        created_at=1,
    )
    return await PodConfinement(host, Profiles(seccomp=DEFAULT, apparmor=apparmor)).of(sandbox)


@pytest.mark.parametrize(
    "security",
    [
        {},
        {"seccomp": SecurityProfile(), "apparmor": SecurityProfile()},
        {"privileged": True, "seccomp": RUNTIME_DEFAULT, "apparmor": RUNTIME_DEFAULT},
    ],
    ids=["unasked", "unconfined", "privileged"],
)
async def test_none(tmp_path: Path, security: dict[str, Any]) -> None:
    assert await _confinement(tmp_path, **security) == Confinement()


async def test_the_default(tmp_path: Path) -> None:
    """Without what processes with capabilities may do."""
    found = await _confinement(tmp_path, seccomp=RUNTIME_DEFAULT, apparmor=RUNTIME_DEFAULT)
    assert found.apparmor_profile == "podwright-default"
    assert found.seccomp is not None
    assert [rule["names"] for rule in found.seccomp["syscalls"]] == [["read"]]
    assert found.seccomp["architectures"] == ["SCMP_ARCH_X86_64"]


async def test_the_hosts_own(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_text(json.dumps({"defaultAction": "SCMP_ACT_LOG"}))
    seccomp = SecurityProfile(kind=ProfileType.LOCALHOST, localhost_ref=str(file))
    apparmor = SecurityProfile(kind=ProfileType.LOCALHOST, localhost_ref="mine")
    found = await _confinement(tmp_path, seccomp=seccomp, apparmor=apparmor)
    assert found.apparmor_profile == "mine"
    assert found.seccomp is not None
    assert found.seccomp["defaultAction"] == "SCMP_ACT_LOG"


async def test_what_is_not_there(tmp_path: Path) -> None:
    absent = SecurityProfile(kind=ProfileType.LOCALHOST, localhost_ref=str(tmp_path / "absent"))
    with pytest.raises(InvalidArgument, match="seccomp profile"):
        await _confinement(tmp_path, seccomp=absent)
    with pytest.raises(FailedPrecondition, match="is not loaded"):
        await _confinement(tmp_path, apparmor=absent)


@pytest.mark.parametrize("machine", ["riscv64", "mips"])
def test_a_profile_of_other_machines_stays(machine: str) -> None:
    section = {"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]}
    assert for_one_architecture(section, machine) == section
