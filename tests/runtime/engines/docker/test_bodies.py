"""CRI's configurations as the Engine's requests, what is refused, and settings without a meaning."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import msgspec
import pytest

from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError, Unknown
from podwright.runtime.config import parse_config
from podwright.runtime.engines.docker import bodies, image_users, refusals, settings
from podwright.runtime.engines.docker.cgroup_names import container_cgroup
from podwright.runtime.engines.docker.creating import known_capabilities
from podwright.runtime.engines.docker.facts import EngineFacts, facts_of
from podwright.runtime.engines.docker.process_user import parse
from podwright.runtime.model.base import (
    IdMapping,
    NamespaceMode,
    NamespaceOptions,
    ProfileType,
    Resources,
    SecurityProfile,
    SelinuxOptions,
    UserNamespace,
)
from podwright.runtime.model.container import (
    Container,
    ContainerConfig,
    ContainerSecurity,
    ContainerState,
    Device,
    GroupsPolicy,
    ImageSpec,
    Mount,
    Propagation,
    User,
)
from podwright.runtime.model.ids import ContainerId, ImageId, SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxSecurity, SandboxState
from podwright.runtime.sandbox.paths import SandboxPaths

NODE = NamespaceOptions(network=NamespaceMode.NODE, pid=NamespaceMode.NODE, ipc=NamespaceMode.NODE)


FACTS = facts_of({"Version": "20.10.24"}, {"CgroupDriver": "cgroupfs", "CgroupVersion": "1"}, (1, 41))
SYSTEMD = msgspec.structs.replace(FACTS, systemd=True, cgroup_v2=True)


def sandbox(namespaces: NamespaceOptions | None = None, **fields: Any) -> Sandbox:
    """A READY pod."""
    security = SandboxSecurity(namespaces=namespaces or NamespaceOptions(pid=NamespaceMode.CONTAINER))
    return Sandbox(
        id=SandboxId("s1"),
        config=SandboxConfig(name=SandboxName(name="n", namespace="ns", uid="u"), security=security, **fields),
        handler="runc",
        state=SandboxState.READY,
        created_at=1,
        cgroup_parent="/kubepods/podu",
    )


def body(
    pod: Sandbox | None = None,
    security: ContainerSecurity | None = None,
    *,
    facts: EngineFacts = FACTS,
    **fields: Any,
) -> dict[str, Any]:
    """The request for a container."""
    config = ContainerConfig(
        name="c",
        image=ImageSpec(image="i"),
        security=security or ContainerSecurity(namespaces=NamespaceOptions(pid=NamespaceMode.CONTAINER)),
        **fields,
    )
    container = Container(
        id=ContainerId("c1"),
        sandbox_id=SandboxId("s1"),
        config=config,
        state=ContainerState.CREATING,
        created_at=1,
        image_id=ImageId("sha256:1"),
        image_name="i",
        image_ref="i",
        log_path="/l" if config.log_path else "",
        user=User(uid=0, gid=0),
        stop_signal=15,
        cgroup="",
    )
    return bodies.container_body(
        bodies.ContainerInputs(
            root="/r",
            facts=facts,
            sandbox=pod or sandbox(),
            container=container,
            pause="p1",
            target="t1",
            runtime="runc",
            files=SandboxPaths(directory="/f"),
            mounts=config.mounts,
            resources=config.resources,
            capabilities=("CAP_KILL",),
            stop_signal=15,
            default_seccomp=None,
            localhost_seccomp={"defaultAction": "SCMP_ACT_ALLOW"},
        )
    )


@pytest.mark.parametrize(
    ("pod", "own", "wanted"),
    [
        (None, NamespaceMode.CONTAINER, ("container:p1", "", "container:p1", "")),
        (None, NamespaceMode.POD, ("container:p1", "", "container:p1", "container:p1")),
        (None, NamespaceMode.TARGET, ("container:p1", "", "container:p1", "container:t1")),
        (None, NamespaceMode.NODE, ("container:p1", "", "container:p1", "host")),
        (NODE, NamespaceMode.POD, ("host", "host", "host", "host")),
    ],
)
def test_namespaces(pod: NamespaceOptions | None, own: NamespaceMode, wanted: tuple[str, ...]) -> None:
    made = body(sandbox(pod), ContainerSecurity(namespaces=NamespaceOptions(pid=own)))["HostConfig"]
    assert tuple(made[key] for key in ("NetworkMode", "UTSMode", "IpcMode", "PidMode")) == wanted


def test_a_command_replaces_the_image_s() -> None:
    made = body(command=("sh",), args=("-c", "x"), envs=(("A", "b=c"),))
    assert (made["Entrypoint"], made["Cmd"], made["Env"]) == (["sh"], ["-c", "x"], ["A=b=c"])
    assert "Entrypoint" not in body()
    assert "Cmd" not in body(command=("sh",))


@pytest.mark.parametrize(
    ("security", "wanted"),
    [
        (ContainerSecurity(), ""),
        (ContainerSecurity(run_as_user=0), "0"),
        (ContainerSecurity(run_as_user=7, run_as_group=8), "7:8"),
        (ContainerSecurity(run_as_username="nobody", run_as_user=7), "nobody"),
    ],
)
def test_users(security: ContainerSecurity, wanted: str) -> None:
    assert body(security=security)["User"] == wanted


def seccomp_of(security: ContainerSecurity) -> list[str]:
    """The security options."""
    options: list[str] = body(security=security)["HostConfig"]["SecurityOpt"]
    return options


def test_security_options() -> None:
    default = SecurityProfile(kind=ProfileType.RUNTIME_DEFAULT)
    local = SecurityProfile(kind=ProfileType.LOCALHOST, localhost_ref="localhost/x")
    assert seccomp_of(ContainerSecurity()) == ["seccomp=unconfined"]
    assert seccomp_of(ContainerSecurity(seccomp=default)) == []
    assert seccomp_of(ContainerSecurity(seccomp=local, apparmor=local, no_new_privs=True)) == [
        "no-new-privileges:true",
        'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
        "apparmor=x",
    ]
    assert seccomp_of(ContainerSecurity(seccomp=local, apparmor=local, privileged=True)) == ["seccomp=unconfined"]
    assert "label=level:s0" in seccomp_of(ContainerSecurity(selinux=SelinuxOptions(level="s0")))


def test_mounts_and_devices() -> None:
    made = body(
        mounts=(
            Mount(container_path="/a", host_path="/x", readonly=True, propagation=Propagation.BIDIRECTIONAL),
            Mount(container_path="/etc/hosts", host_path="/h"),
            Mount(container_path="/b", host_path="/y", selinux_relabel=True),
        ),
        devices=(Device(container_path="/dev/a", host_path="/dev/b", permissions="r"),),
    )["HostConfig"]
    targets = {mount["Target"]: mount for mount in made["Mounts"]}
    assert set(targets) == {"/a", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}
    assert targets["/etc/hosts"]["Source"] == "/h"
    assert targets["/etc/resolv.conf"]["Source"] == "/f/resolv.conf"
    assert targets["/a"]["ReadOnly"]
    assert targets["/a"]["BindOptions"] == {"Propagation": "rshared"}
    assert made["Binds"] == ["/y:/b:rw,rprivate,Z"]
    assert made["Devices"] == [{"PathOnHost": "/dev/b", "PathInContainer": "/dev/a", "CgroupPermissions": "r"}]


def test_limits_and_logs() -> None:
    made = body(resources=Resources(memory_limit_bytes=9, cpu_quota=5, oom_score_adj=3), log_path="x")["HostConfig"]
    assert (made["Memory"], made["CpuQuota"], made["OomScoreAdj"]) == (9, 5, 3)
    assert "CpuShares" not in made
    assert made["LogConfig"]["Type"] == "json-file"
    assert body()["HostConfig"]["LogConfig"]["Type"] == "none"


def test_labels_of_people_cannot_hide_a_container() -> None:
    labels = body(labels={"io.podwright.root": "/other", "app": "x"})["Labels"]
    assert (labels["io.podwright.root"], labels["app"], labels["io.kubernetes.pod.name"]) == ("/r", "x", "n")


def sandbox_request(pod: Sandbox, facts: EngineFacts = FACTS) -> dict[str, Any]:
    """The request for the pod's first process."""
    return bodies.sandbox_body(
        bodies.SandboxInputs(
            root="/r",
            facts=facts,
            sandbox=pod,
            image="p",
            runtime="runc",
            hostname="h",
            shm_size_bytes=1,
            oom_score_adj=-998,
            default_seccomp=None,
            localhost_seccomp=None,
        )
    )


def test_first_processes() -> None:
    own = sandbox_request(sandbox(sysctls={"kernel.shmmax": "1", "net.ipv4.ip_forward": "1"}))
    assert (own["Hostname"], own["HostConfig"]["NetworkMode"], own["HostConfig"]["IpcMode"]) == (
        "h",
        "none",
        "shareable",
    )
    assert own["HostConfig"]["Sysctls"] == {"kernel.shmmax": "1"}  # ours are set when the interfaces exist
    on_host = sandbox_request(sandbox(NODE))
    assert "Hostname" not in on_host
    assert [on_host["HostConfig"][key] for key in ("NetworkMode", "UTSMode", "IpcMode", "PidMode")] == ["host"] * 4


OWN_USERS = UserNamespace(
    uids=(IdMapping(host_id=1, container_id=0, length=1),), gids=(IdMapping(host_id=1, container_id=0, length=1),)
)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (
            {"security": ContainerSecurity(namespaces=NamespaceOptions(user=OWN_USERS))},
            FailedPrecondition,
            "user namespace",
        ),
        ({"security": ContainerSecurity(add_ambient_capabilities=("CHOWN",))}, FailedPrecondition, "ambient"),
        ({"security": ContainerSecurity(groups_policy=GroupsPolicy.STRICT)}, FailedPrecondition, "Strict"),
        ({"security": ContainerSecurity(run_as_group=1)}, InvalidArgument, "run_as_group"),
        ({"security": ContainerSecurity(namespaces=NODE)}, InvalidArgument, "network namespace must be the pod's"),
        (
            {"security": ContainerSecurity(apparmor=SecurityProfile(kind=ProfileType.LOCALHOST, localhost_ref="x"))},
            FailedPrecondition,
            "no AppArmor",
        ),
        ({"cdi_devices": ("a/b=c",)}, FailedPrecondition, "CDI"),
        ({"mounts": (Mount(container_path="/a", image=ImageSpec(image="i")),)}, Unknown, "^ImageVolumeMountFailed"),
        (
            {"mounts": (Mount(container_path="/a", host_path="/b", readonly=True, recursive_read_only=True),)},
            Unknown,
            "^RROUnsupported",
        ),
        (
            {"mounts": (Mount(container_path="/a", host_path="/b", uid_mappings=OWN_USERS.uids),)},
            FailedPrecondition,
            "idmap",
        ),
        (
            {"mounts": (Mount(container_path="/a", host_path="/b", options=("noexec",)),)},
            FailedPrecondition,
            "options",
        ),
        (
            {"mounts": (Mount(container_path="/a", host_path="/b:c", selinux_relabel=True),)},
            InvalidArgument,
            "colon",
        ),
    ],
)
def test_what_the_engine_cannot_do_is_refused(change: dict[str, Any], kind: type[PodwrightError], words: str) -> None:
    config = ContainerConfig(name="c", image=ImageSpec(image="i"), **change)
    with pytest.raises(kind, match=words):
        refusals.check_container(sandbox(), config, frozenset({"seccomp"}))


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Resources(hugepage_limits=(("2MB", 1),)), "huge pages"),
        (Resources(unified={"memory.high": "1"}), "cgroup v2"),
    ],
)
def test_limits_without_a_field_are_refused(limits: Resources, words: str) -> None:
    with pytest.raises(FailedPrecondition, match=words):
        refusals.check_resources("x", limits)


def test_a_plain_container_is_not_refused() -> None:
    refusals.check_resources("x", Resources(hugepage_limits=(("2MB", 0),)))  # as a kubelet sends for every size
    refusals.check_container(sandbox(), ContainerConfig(name="c", image=ImageSpec(image="i")), frozenset())
    refusals.check_sandbox(sandbox().config, frozenset())


def test_the_pods_namespaces_may_be_the_hosts() -> None:
    """As a kubelet leaves them out: a container that asks for its pod's gets the host's there."""
    refusals.check_container(sandbox(NODE), ContainerConfig(name="c", image=ImageSpec(image="i")), frozenset())


def test_a_pod_with_users_of_its_own_is_refused() -> None:
    with pytest.raises(FailedPrecondition, match=r"sandbox ns/n.*user namespace.*engine = \"native\""):
        refusals.check_sandbox(sandbox(NamespaceOptions(user=OWN_USERS)).config, frozenset())


@pytest.mark.parametrize(
    "change",
    [
        {"default_handler": "crun"},
        {"handlers": {"x": {"path": "/bin/x"}}},
        {"signatures": {"default": {"action": "reject"}}},
        {"registry": {"config_path": "/elsewhere"}},
        {"containers": {"cgroup_driver": "systemd"}},
    ],
)
def test_settings_without_a_meaning_are_refused(change: dict[str, Any]) -> None:
    (key,) = change
    with pytest.raises(InvalidArgument, match=f'{key}.* has no effect with engine = "docker"'):
        settings.check(parse_config({"engine": "docker", **change}, "x"))
    settings.check(parse_config({"engine": "docker", "docker": {"socket": "/x"}, "images": {"pinned": ["a"]}}, "x"))


@pytest.mark.parametrize(
    ("parent", "systemd", "wanted"),
    [
        ("/kubepods/podx", False, "/kubepods/podx/abc"),
        ("kubepods-podx.slice", True, "/kubepods.slice/kubepods-podx.slice/docker-abc.scope"),
    ],
)
def test_cgroups(parent: str, systemd: bool, wanted: str) -> None:
    assert container_cgroup(parent, "abc", systemd=systemd) == wanted


@pytest.mark.parametrize(
    ("facts", "parent", "wanted"),
    [
        (FACTS, "/kubepods/burstable/podx", "/kubepods/burstable/podx"),
        (
            SYSTEMD,
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podx.slice",
            "kubepods-burstable-podx.slice",
        ),
        (SYSTEMD, "kubepods-podx.slice", "kubepods-podx.slice"),
        (SYSTEMD, "/podwright.slice/podwright-pods1.slice/", "podwright-pods1.slice"),
    ],
)
def test_a_pods_parent_cgroup(facts: EngineFacts, parent: str, wanted: str) -> None:
    """The Engine refuses a path where systemd makes its cgroups."""
    pod = msgspec.structs.replace(sandbox(), cgroup_parent=parent)
    for request in (sandbox_request(pod, facts), body(pod, facts=facts)):
        assert request["HostConfig"]["CgroupParent"] == wanted


@pytest.mark.parametrize(
    ("facts", "privileged", "wanted"), [(FACTS, False, "host"), (SYSTEMD, False, "private"), (SYSTEMD, True, "host")]
)
def test_cgroup_namespaces(facts: EngineFacts, privileged: bool, wanted: str) -> None:
    security = ContainerSecurity(privileged=privileged, namespaces=NamespaceOptions(pid=NamespaceMode.CONTAINER))
    assert body(security=security, facts=facts)["HostConfig"]["CgroupnsMode"] == wanted


def test_classes_are_refused() -> None:
    pod = sandbox(annotations={"blockio.resources.beta.kubernetes.io/pod": "slow"})
    config = ContainerConfig(name="c", image=ImageSpec(image="i"))
    with pytest.raises(FailedPrecondition, match="knows no classes of Block I/O or RDT"):
        refusals.check_container(pod, config, frozenset())


@pytest.mark.parametrize(
    ("add", "drop", "wanted"),
    [
        (("ALL",), (), ("CAP_KILL", "CAP_NET_ADMIN")),
        (("all", "bpf"), ("KILL",), ("CAP_NET_ADMIN", "CAP_BPF")),
        ((), (), ("CAP_KILL",)),
    ],
)
def test_capabilities_that_every_engine_knows(
    add: tuple[str, ...], drop: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    held = frozenset({"CAP_KILL", "CAP_NET_ADMIN", "CAP_BPF"})
    security = ContainerSecurity(add_capabilities=add, drop_capabilities=drop)
    assert known_capabilities(security, held) == wanted


@pytest.mark.parametrize(
    ("security", "image_user", "named"),
    [
        (ContainerSecurity(), "", False),
        (ContainerSecurity(), "7:8", False),
        (ContainerSecurity(), "7:users", True),
        (ContainerSecurity(), "nobody", True),
        (ContainerSecurity(run_as_user=7), "nobody", False),
        (ContainerSecurity(run_as_username="x", run_as_user=7), "", True),
    ],
)
def test_users_that_have_to_be_looked_up(security: ContainerSecurity, image_user: str, named: bool) -> None:
    assert image_users.has_names(security, image_user) is named


def test_a_file_of_a_container_is_the_first_in_a_tar() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("passwd")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"x:y:z"))
    assert image_users.text_of(buffer.getvalue()) == "x:y:z"
    assert image_users.text_of(b"") == ""
    with pytest.raises(InvalidArgument, match="cannot be read"):
        image_users.text_of(b"no tar" * 200)


def test_the_user_of_a_process() -> None:
    text = "Name:\tx\nUid:\t5\t6\t6\t6\nGid:\t7\t8\t8\t8\nGroups:\t9 10 \n"
    assert parse(text) == User(uid=6, gid=8, groups=(8, 9, 10))
    assert parse("Name: x\n") is None


def test_records_of_the_engine_are_plain() -> None:
    assert msgspec.json.encode(sandbox())  # a record with the Engine's part can be stored
