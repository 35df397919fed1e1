"""What confines processes: seccomp and AppArmor profiles, capabilities, SELinux options, masked paths."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podwright.conformance.messages import profile, secured
from podwright.conformance.pods import CasePod, RunPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument

DEFAULT = api.SecurityProfile.RuntimeDefault
UNCONFINED = api.SecurityProfile.Unconfined
LOCALHOST = api.SecurityProfile.Localhost
NET_BIND_SERVICE = 1 << 10
SYS_ADMIN = 1 << 21


async def _status(pod: CasePod, linux: api.LinuxContainerConfig) -> dict[str, str]:
    """What /proc says of a process in a container."""
    text = await pod.output("cat", "/proc/self/status", linux=linux)
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


@pytest.fixture
def no_mkdir(tmp_path: Path) -> Path:
    """A seccomp profile that allows everything except making directories."""
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}
    path = tmp_path / "no-mkdir.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    return path


@pytest.mark.deviates("cri-o", "does not look at the old field")
@pytest.mark.parametrize("deprecated", [False, True])
async def test_a_seccomp_profile_of_the_host(pod: CasePod, no_mkdir: Path, deprecated: bool) -> None:
    given = secured(seccomp=profile(LOCALHOST, str(no_mkdir)))
    if deprecated:
        given = secured(seccomp_profile_path=f"localhost/{no_mkdir}")
    said = await pod.output("sh", "-c", "mkdir /tmp/x 2>&1; touch /tmp/y && echo touched", linux=given)
    assert "Operation not permitted" in said
    assert said.endswith("touched\n")


async def test_the_newer_field_wins(pod: CasePod, no_mkdir: Path) -> None:
    linux = secured(seccomp=profile(UNCONFINED), seccomp_profile_path=f"localhost/{no_mkdir}")
    assert (await _status(pod, linux))["Seccomp"] == "0"


@pytest.mark.deviates("cri-o", "answers UNKNOWN, and takes some of it")
@pytest.mark.deviates("containerd", "answers UNKNOWN for what it refuses, and takes some of it")
@pytest.mark.parametrize(
    "fields",
    [
        {"seccomp": profile(LOCALHOST)},
        {"seccomp": profile(LOCALHOST, "relative.json")},
        {"seccomp": profile(LOCALHOST, "/etc/passwd")},
        {"seccomp": profile(DEFAULT, "/etc/passwd")},
        {"seccomp_profile_path": "strict"},
        {"apparmor": profile(DEFAULT, "mine")},
        {"apparmor": profile(LOCALHOST)},
        {"apparmor_profile": "mine"},
        {"capabilities": api.Capability(add_capabilities=["FLY"])},
        {"capabilities": api.Capability(drop_capabilities=["CAP_FLY"])},
        {"selinux_options": api.SELinuxOption(level="s0,c4,c5")},
        {"selinux_options": api.SELinuxOption(user="a b")},
    ],
    ids=lambda fields: " ".join(str(fields).split()),
)
async def test_refused(pod: CasePod, fields: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument):
        await pod.create(linux=secured(**fields))


@pytest.mark.deviates("cri-o", "takes it")
@pytest.mark.deviates("containerd", "1.6 does not look at them")
@pytest.mark.parametrize(
    "fields",
    [
        {"selinux_options": api.SELinuxOption(level="s0,c4,c5")},
        {"seccomp": profile(DEFAULT, "/etc/passwd")},
        {"apparmor": profile(LOCALHOST)},
    ],
    ids=["level", "seccomp", "apparmor"],
)
async def test_refused_for_a_pod(run_pod: RunPod, fields: dict[str, object]) -> None:
    security = api.LinuxSandboxSecurityContext(**fields)  # type: ignore[arg-type] # keywords of a case
    with pytest.raises(InvalidArgument):
        async with run_pod(security=security):
            pass


async def test_selinux_options_are_taken_on_every_host(run_pod: RunPod) -> None:
    options = api.SELinuxOption(user="system_u", role="system_r", type="container_t", level="s0:c4,c5")
    async with run_pod(security=api.LinuxSandboxSecurityContext(selinux_options=options)) as pod:
        assert await pod.output("echo", "runs", linux=secured(selinux_options=options)) == "runs\n"


@pytest.mark.deviates("cri-o", "asks for every capability, whatever the host has")
@pytest.mark.parametrize(
    ("add", "drop", "has", "lacks"),
    [
        (["all"], [], SYS_ADMIN | NET_BIND_SERVICE, 0),
        (["ALL"], ["SYS_ADMIN"], NET_BIND_SERVICE, SYS_ADMIN),
        (["CAP_SYS_ADMIN"], [], SYS_ADMIN | NET_BIND_SERVICE, 0),
        ([], ["net_bind_service"], 0, NET_BIND_SERVICE),
    ],
    ids=["all", "all-but-one", "prefixed", "lower-case"],
)
async def test_capabilities(pod: CasePod, add: list[str], drop: list[str], has: int, lacks: int) -> None:
    if add == ["CAP_SYS_ADMIN"] and (await _peer_name(pod)) == "containerd":
        pytest.skip("1.6 puts CAP_ before every name")
    capability = api.Capability(add_capabilities=add, drop_capabilities=drop)
    status = await _status(pod, secured(capabilities=capability))
    for field in ("CapBnd", "CapEff", "CapPrm"):
        assert int(status[field], 16) & (has | lacks) == has
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0


async def _peer_name(pod: CasePod) -> str:
    return (await pod.cri.call(pod.cri.runtime.Version, api.VersionRequest())).runtime_name


async def test_capabilities_of_others_than_root(pod: CasePod) -> None:
    status = await _status(pod, secured(run_as_user=api.Int64Value(value=1000)))
    assert int(status["CapEff"], 16) == 0
    assert int(status["CapBnd"], 16) & NET_BIND_SERVICE


@pytest.mark.deviates("cri-o", "only where it is configured to, as inheritable ones")
@pytest.mark.deviates("containerd", "1.6 came before the field; later ones clear the set")
@pytest.mark.deviates("podwright-docker", "the Engine has none")
async def test_ambient_capabilities(pod: CasePod) -> None:
    names = ["NET_BIND_SERVICE"]
    capability = api.Capability(add_capabilities=names, add_ambient_capabilities=names, drop_capabilities=["ALL"])
    status = await _status(pod, secured(run_as_user=api.Int64Value(value=1000), capabilities=capability))
    for field in ("CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb"):
        assert int(status[field], 16) == NET_BIND_SERVICE, field


async def test_an_exec_is_confined_like_its_container(pod: CasePod) -> None:
    linux = secured(
        run_as_user=api.Int64Value(value=1000),
        supplemental_groups=[4321],
        no_new_privs=True,
        seccomp=profile(DEFAULT),
        capabilities=api.Capability(drop_capabilities=["ALL"]),
    )
    container = await pod.run_ready(linux=linux)
    inside = (await pod.exec(container, "cat", "/proc/1/status", "/proc/self/status")).stdout.decode()
    first, second = [
        [line for line in part.splitlines() if line.startswith(("Uid", "Gid", "Groups", "Cap", "NoNew", "Seccomp:"))]
        for part in inside.split("Name:")[1:]
    ]
    assert first == second
    assert "NoNewPrivs:\t1" in first
    assert "Seccomp:\t2" in first


async def test_nothing_is_masked_unasked(pod: CasePod) -> None:
    assert int(await pod.output("sh", "-c", "wc -c < /proc/interrupts")) > 0
    assert await pod.output("sh", "-c", "grep -c /proc/ /proc/mounts || true") == "0\n"


async def test_paths_that_are_not_there_are_no_error(pod: CasePod) -> None:
    linux = secured(masked_paths=["/proc/no-such-file"], readonly_paths=["/sys/no-such-directory"])
    assert await pod.output("echo", "runs", linux=linux) == "runs\n"


@pytest.mark.deviates("cri-o", "asks for every capability, whatever the host has")
@pytest.mark.deviates("containerd", "1.6 leaves the /sys of privileged containers read-only")
@pytest.mark.deviates("podwright-docker", "asks for every capability, whatever the host has")
async def test_privileged_may_write_where_others_may_not(run_pod: RunPod) -> None:
    script = "grep ' /sys sysfs ' /proc/mounts | cut -d' ' -f4 | cut -d, -f1"
    async with run_pod(security=api.LinuxSandboxSecurityContext(privileged=True)) as pod:
        assert await pod.output("sh", "-c", script, linux=secured(privileged=True)) == "rw\n"
        assert await pod.output("sh", "-c", script, linux=secured()) == "ro\n"
        readonly = {"readonly_paths": ["/proc/sys"]}
        write = "cat /proc/sys/kernel/hostname > /proc/sys/kernel/hostname && echo written || echo refused"
        assert await pod.output("sh", "-c", write, linux=secured(privileged=True, **readonly)) == "written\n"
        assert (await pod.output("sh", "-c", f"({write}) 2>&1", linux=secured(**readonly))).endswith("refused\n")


@pytest.mark.deviates("cri-o", "asks for every capability, whatever the host has")
@pytest.mark.deviates("podwright-docker", "asks for every capability, whatever the host has")
async def test_privileged_has_the_hosts_devices(run_pod: RunPod) -> None:
    async with run_pod(security=api.LinuxSandboxSecurityContext(privileged=True)) as pod:
        inside = set((await pod.output("ls", "/dev", linux=secured(privileged=True))).split())
        nodes = [path for path in Path("/dev").iterdir() if not path.is_symlink()]  # rtc is a link to the first clock
        hosts = {path.name for path in nodes if path.is_char_device() or path.is_block_device()}
        assert hosts - inside <= {"console"}
        plain = set((await pod.output("ls", "/dev", linux=secured())).split())
        assert "kmsg" not in plain
