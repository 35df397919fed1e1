"""The spec as a whole: what ends up where, for hosts that this one is not too."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.linux import capabilities as kernel
from podwright.linux.selinux import DEFAULT_CONTEXTS
from podwright.runtime.model.base import (
    IdMapping,
    NamespaceMode,
    NamespaceOptions,
    ProfileType,
    Resources,
    SecurityProfile,
    UserNamespace,
)
from podwright.runtime.model.container import ContainerConfig, ContainerSecurity, ImageSpec, User
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.image import ImageConfig
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxSecurity, SandboxState
from podwright.runtime.oci_spec import builder
from podwright.runtime.oci_spec.builder import HostAbilities, HostDevice, SpecInputs
from podwright.runtime.oci_spec.mounts import SandboxFiles
from podwright.runtime.oci_spec.resources import CgroupAbilities

PROFILE = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}
HOST = HostAbilities(
    machine="x86_64", kernel="6.1", capabilities=frozenset(kernel.NAMES), cgroups=CgroupAbilities(unified=True)
)
SANDBOX = Sandbox(
    id=SandboxId("s" * 64),
    config=SandboxConfig(name=SandboxName(name="pod", namespace="ns", uid="uid")),
    handler="crun",
    state=SandboxState.READY,
    created_at=1,
)


def _config(security: ContainerSecurity | None = None, **fields: Any) -> ContainerConfig:
    return ContainerConfig(
        name="c", image=ImageSpec(image="i"), command=("run",), security=security or ContainerSecurity(), **fields
    )


def _inputs(config: ContainerConfig, **fields: Any) -> SpecInputs:
    given: dict[str, Any] = {
        "config": config,
        "image": ImageConfig(),
        "sandbox": SANDBOX,
        "user": User(uid=5, gid=6, groups=(6, 7)),
        "rootfs": "/root/fs",
        "hostname": "pod",
        "cgroups_path": "/parent/id",
        "namespaces": {"network": "/s/netns", "mount": "", "pid": ""},
        "files": SandboxFiles(),
        "host": HOST,
        "resources": Resources(),
        "default_profile": PROFILE,
    }
    return SpecInputs(**(given | fields))


def _with_seccomp(kind: ProfileType, **security: Any) -> ContainerConfig:
    ref = "/p.json" if kind is ProfileType.LOCALHOST else ""
    profile = SecurityProfile(kind=kind, localhost_ref=ref)
    return _config(ContainerSecurity(seccomp=profile, **security))


def test_plain_container() -> None:
    spec = builder.build(_inputs(_config()))
    assert spec["ociVersion"] == "1.0.2"
    assert spec["root"] == {"path": "/root/fs", "readonly": False}
    process = spec["process"]
    assert process["args"] == ["run"]
    assert process["user"] == {"uid": 5, "gid": 6, "additionalGids": [6, 7]}
    assert process["noNewPrivileges"] is False
    assert spec["linux"]["namespaces"] == [
        {"type": "mount"},
        {"type": "network", "path": "/s/netns"},
        {"type": "pid"},
    ]
    assert spec["linux"]["resources"]["devices"] == [{"allow": False, "access": "rwm"}]
    assert "seccomp" not in spec["linux"]
    assert spec["annotations"]["io.kubernetes.cri.sandbox-id"] == SANDBOX.id


def test_limits_are_those_that_were_granted() -> None:
    limits = Resources(oom_score_adj=-500, cpu_shares=7)
    spec = builder.build(_inputs(_config(), resources=limits))
    assert spec["process"]["oomScoreAdj"] == -500
    assert spec["linux"]["resources"]["cpu"] == {"shares": 7}


def test_masked_and_readonly_paths_are_exactly_the_requests() -> None:
    security = ContainerSecurity(masked_paths=("/proc/kcore",), readonly_paths=("/proc/bus",), readonly_rootfs=True)
    spec = builder.build(_inputs(_config(security)))
    assert spec["linux"]["maskedPaths"] == ["/proc/kcore"]
    assert spec["linux"]["readonlyPaths"] == ["/proc/bus"]
    assert spec["root"]["readonly"] is True


def test_privileged_needs_a_privileged_sandbox() -> None:
    with pytest.raises(InvalidArgument, match="privileged"):
        builder.build(_inputs(_config(ContainerSecurity(privileged=True))))


def test_privileged_has_no_fences() -> None:
    open_config = msgspec.structs.replace(SANDBOX.config, security=SandboxSecurity(privileged=True))
    sandbox = msgspec.structs.replace(SANDBOX, config=open_config)
    config = _with_seccomp(ProfileType.RUNTIME_DEFAULT, privileged=True, masked_paths=("/x",))
    linux = builder.build(_inputs(config, sandbox=sandbox))["linux"]
    assert "seccomp" not in linux
    assert "maskedPaths" not in linux
    assert linux["resources"]["devices"] == [{"allow": True, "access": "rwm"}]


@pytest.mark.parametrize(
    ("config", "host_has_seccomp", "confined"),
    [
        (_config(), True, False),
        (_with_seccomp(ProfileType.UNCONFINED), True, False),
        (_with_seccomp(ProfileType.RUNTIME_DEFAULT), True, True),
        (_with_seccomp(ProfileType.LOCALHOST), True, True),
        (_with_seccomp(ProfileType.RUNTIME_DEFAULT), False, False),
    ],
    ids=["nil", "unconfined", "default", "localhost", "default-without-seccomp"],
)
def test_seccomp_choice(config: ContainerConfig, host_has_seccomp: bool, confined: bool) -> None:
    host = HostAbilities(
        machine="x86_64",
        kernel="6.1",
        capabilities=HOST.capabilities,
        cgroups=HOST.cgroups,
        seccomp=host_has_seccomp,
    )
    spec = builder.build(_inputs(config, host=host, localhost_profile=PROFILE))
    assert ("seccomp" in spec["linux"]) is confined


def test_seccomp_that_cannot_be_given_is_an_error() -> None:
    with pytest.raises(FailedPrecondition, match="default seccomp profile"):
        builder.build(_inputs(_with_seccomp(ProfileType.RUNTIME_DEFAULT), default_profile=None))


def test_profiles_and_labels_that_were_chosen() -> None:
    plain = builder.build(_inputs(_config()))
    assert not {"apparmorProfile", "selinuxLabel"} & set(plain["process"])
    assert "mountLabel" not in plain["linux"]
    spec = builder.build(_inputs(_config(), apparmor_profile="p", selinux=DEFAULT_CONTEXTS.at("s0:c1,c2")))
    assert spec["process"]["apparmorProfile"] == "p"
    assert spec["process"]["selinuxLabel"] == "system_u:system_r:container_t:s0:c1,c2"
    assert spec["linux"]["mountLabel"] == "system_u:object_r:container_file_t:s0:c1,c2"


IDS = (IdMapping(container_id=0, host_id=70000, length=10),)
USERS = UserNamespace(uids=IDS, gids=IDS)


def _with_users(user: UserNamespace | None) -> Sandbox:
    security = SandboxSecurity(namespaces=NamespaceOptions(user=user))
    return msgspec.structs.replace(SANDBOX, config=msgspec.structs.replace(SANDBOX.config, security=security))


def test_users_of_the_pods_own() -> None:
    linux = builder.build(_inputs(_config(), sandbox=_with_users(USERS)))["linux"]
    assert linux["uidMappings"] == linux["gidMappings"] == [{"containerID": 0, "hostID": 70000, "size": 10}]
    assert "uidMappings" not in builder.build(_inputs(_config()))["linux"]


HOST_USERS = UserNamespace(mode=NamespaceMode.NODE)


@pytest.mark.parametrize(
    ("of_sandbox", "of_container", "fits"),
    [
        (None, None, True),
        (None, HOST_USERS, True),
        (HOST_USERS, None, True),
        (USERS, USERS, True),
        (USERS, None, True),
        (None, USERS, False),
        (USERS, HOST_USERS, False),
        (USERS, UserNamespace(uids=IDS), False),
        (None, UserNamespace(mode=NamespaceMode.TARGET), False),
    ],
)
def test_containers_have_their_pods_users(
    of_sandbox: UserNamespace | None, of_container: UserNamespace | None, fits: bool
) -> None:
    config = _config(ContainerSecurity(namespaces=NamespaceOptions(user=of_container)))

    def paths() -> dict[str, str]:
        sandbox = _with_users(of_sandbox)
        return builder.namespace_paths(sandbox, config, {"user": "/u"}, target_pid=0, private_cgroup=False)

    if fits:
        assert paths()["user"] == "/u"
        return
    with pytest.raises(InvalidArgument, match="another user namespace"):
        paths()


def test_devices_are_nodes_and_rules() -> None:
    node = HostDevice(path="/dev/x", kind="c", major=1, minor=2, mode=0o660, uid=0, gid=9, permissions="rw")
    linux = builder.build(_inputs(_config(), devices=(node,)))["linux"]
    assert linux["devices"][0]["fileMode"] == 0o660
    assert linux["resources"]["devices"][1] == {
        "allow": True,
        "type": "c",
        "major": 1,
        "minor": 2,
        "access": "rw",
    }


def _paths(pid: NamespaceMode, target_pid: int = 7, **fields: Any) -> dict[str, str]:
    config = _config(ContainerSecurity(namespaces=NamespaceOptions(pid=pid, **fields)))
    pins = {"network": "/n", "ipc": "/i", "uts": "/u"}
    return builder.namespace_paths(SANDBOX, config, pins, target_pid=target_pid, private_cgroup=False)


def test_namespaces() -> None:
    assert _paths(NamespaceMode.CONTAINER)["pid"] == ""
    assert _paths(NamespaceMode.POD)["pid"] == "/proc/7/ns/pid"
    assert _paths(NamespaceMode.TARGET)["pid"] == "/proc/7/ns/pid"
    assert "pid" not in _paths(NamespaceMode.NODE)
    assert "pid" not in _paths(NamespaceMode.POD, target_pid=0)
    assert _paths(NamespaceMode.CONTAINER)["network"] == "/n"


def test_the_hosts_network_is_not_for_a_container_of_another_sandbox() -> None:
    with pytest.raises(InvalidArgument, match="network"):
        _paths(NamespaceMode.POD, network=NamespaceMode.NODE)
