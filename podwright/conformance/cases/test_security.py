"""Who processes are and what they may do."""

from __future__ import annotations

import pytest

from podwright.conformance.messages import profile, secured
from podwright.conformance.pods import CasePod, RunPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, PodwrightError


async def _status_line(pod: CasePod, name: str, linux: api.LinuxContainerConfig) -> str:
    text = await pod.output("grep", f"^{name}:", "/proc/self/status", linux=linux)
    return text.split()[1]


@pytest.mark.parametrize(
    ("fields", "ids"),
    [
        ({}, "0 0 0"),
        ({"run_as_user": api.Int64Value(value=1234)}, "1234 0 0"),
        ({"run_as_user": api.Int64Value(value=33)}, "33 33 33"),
        ({"run_as_user": api.Int64Value(value=12), "run_as_group": api.Int64Value(value=34)}, "12 34 34"),
        ({"run_as_username": "www-data"}, "33 33 33"),
        ({"run_as_user": api.Int64Value(value=5), "supplemental_groups": [77, 66]}, "5 0 0 66 77"),
    ],
    ids=["root", "uid", "known-uid", "uid-gid", "name", "groups"],
)
async def test_users(pod: CasePod, fields: dict[str, object], ids: str) -> None:
    container_id = await pod.run(("sh", "-c", "id -u; id -g; id -G; sleep 1000"), linux=secured(**fields))
    for _ in range(100):
        if len(words := [line.split(" ", 3)[3] for line in pod.log(container_id).splitlines()]) == 3:
            break
        await pod.exec(container_id, "sleep", "0.05")
    uid, gid, groups = words
    assert f"{uid} {gid} {' '.join(sorted(groups.split(), key=int))}" == ids
    inside = (await pod.exec(container_id, "id", "-u")).stdout.decode().strip()
    assert inside == uid


@pytest.mark.deviates("containerd", "1.6 came before the field")
async def test_the_user_is_reported_once_created(pod: CasePod) -> None:
    fields = {"run_as_user": api.Int64Value(value=5), "supplemental_groups": [77, 66]}
    user = (await pod.status(await pod.create(linux=secured(**fields)))).user.linux
    assert (user.uid, user.gid, sorted(user.supplemental_groups)) == (5, 0, [0, 66, 77])


@pytest.mark.deviates("containerd", "1.6 came before the field")
@pytest.mark.parametrize(
    ("policy", "groups"),
    [
        (api.Merge, {1234, 4321, 50000}),
        pytest.param(
            api.Strict,
            {1234, 4321},
            marks=pytest.mark.deviates("podwright-docker", "the Engine always adds the image's groups"),
        ),
    ],
    ids=["merge", "strict"],
)
async def test_groups_of_the_image(pod: CasePod, policy: api.SupplementalGroupsPolicy, groups: set[int]) -> None:
    """Groups of the user's name in /etc/group, and always the primary one. Commands have them too."""
    if "member" not in await pod.output("cat", "/etc/group"):
        pytest.skip("the image has no group with members")
    user = api.Int64Value(value=4321)
    linux = secured(run_as_user=user, supplemental_groups=[1234], supplemental_groups_policy=policy)
    container_id = await pod.run(linux=linux)
    reported = (await pod.exec(container_id, "id", "-G")).stdout.split()
    assert {int(group) for group in reported} == groups
    assert set((await pod.status(container_id)).user.linux.supplemental_groups) == groups


@pytest.mark.deviates("cri-o", "answers UNKNOWN")
@pytest.mark.deviates("containerd", "1.6 came before the field")
async def test_a_groups_policy_that_is_none(pod: CasePod) -> None:
    with pytest.raises(InvalidArgument):
        await pod.create(linux=secured(supplemental_groups_policy=7))


@pytest.mark.deviates("cri-o", "its default set is smaller")
@pytest.mark.parametrize(
    ("add", "drop", "bounding"),
    [
        ([], ["ALL"], 0),
        (["NET_BIND_SERVICE"], ["ALL"], 1 << 10),
        ([], [], 0xA80425FB),
    ],
    ids=["none", "one", "default"],
)
async def test_capabilities(pod: CasePod, add: list[str], drop: list[str], bounding: int) -> None:
    capability = api.Capability(add_capabilities=add, drop_capabilities=drop)
    assert int(await _status_line(pod, "CapBnd", secured(capabilities=capability)), 16) == bounding


@pytest.mark.parametrize("value", [True, False])
async def test_no_new_privileges(pod: CasePod, value: bool) -> None:
    assert await _status_line(pod, "NoNewPrivs", secured(no_new_privs=value)) == str(int(value))


@pytest.mark.deviates("cri-o", "does not look at the old field")
@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({}, "0"),
        ({"seccomp": profile(api.SecurityProfile.Unconfined)}, "0"),
        ({"seccomp": profile(api.SecurityProfile.RuntimeDefault)}, "2"),
        ({"seccomp_profile_path": "runtime/default"}, "2"),
        ({"seccomp_profile_path": "unconfined"}, "0"),
    ],
    ids=["nil", "unconfined", "default", "old-default", "old-unconfined"],
)
async def test_seccomp(pod: CasePod, fields: dict[str, object], mode: str) -> None:
    assert await _status_line(pod, "Seccomp", secured(**fields)) == mode


@pytest.mark.deviates("cri-o", "the process that holds a shared PID namespace needs CAP_SYS_RESOURCE")
async def test_the_first_process_of_a_shared_pid_namespace(run_pod: RunPod) -> None:
    """It is as the pod's own security context wants it."""
    namespaces = api.NamespaceOption(pid=api.POD)
    security = api.LinuxSandboxSecurityContext(
        run_as_user=api.Int64Value(value=1234),
        run_as_group=api.Int64Value(value=2345),
        seccomp=profile(api.SecurityProfile.RuntimeDefault),
    )
    async with run_pod(namespaces=namespaces, security=security) as pod:
        lines = (await pod.output("cat", "/proc/1/status")).splitlines()
    reported = {key: value.split()[:1] for key, _, value in (line.partition(":") for line in lines)}
    assert (reported["Uid"], reported["Gid"], reported["Seccomp"]) == (["1234"], ["2345"], ["2"])


async def test_a_seccomp_profile_that_is_not_there(pod: CasePod) -> None:
    linux = secured(seccomp=profile(api.SecurityProfile.Localhost, "/no/such/profile.json"))
    with pytest.raises(PodwrightError, match="profile"):
        await pod.start(await pod.create(linux=linux))


async def test_read_only_root_and_writable_mounts(pod: CasePod) -> None:
    out = await pod.output(
        "sh", "-c", "touch /x 2>&1; touch /dev/shm/x && echo ok", linux=secured(readonly_rootfs=True)
    )
    assert "Read-only file system" in out
    assert out.endswith("ok\n")


async def test_masked_and_read_only_paths(pod: CasePod) -> None:
    linux = secured(masked_paths=["/proc/timer_list", "/etc"], readonly_paths=["/tmp"])
    out = await pod.output("sh", "-c", "wc -c < /proc/timer_list; ls /etc; touch /tmp/x 2>&1 || true", linux=linux)
    assert out.startswith("0\n")
    assert "Read-only file system" in out
    assert "passwd" not in out


@pytest.mark.deviates("cri-o", "asks for every capability, whatever the host has")
@pytest.mark.deviates("podwright-docker", "asks for every capability, whatever the host has")
async def test_privileged(run_pod: RunPod) -> None:
    security = api.LinuxSandboxSecurityContext(privileged=True)
    linux = secured(
        privileged=True, masked_paths=["/proc/timer_list"], seccomp=profile(api.SecurityProfile.RuntimeDefault)
    )
    async with run_pod(security=security) as pod:
        script = (
            "grep -c . /proc/timer_list; grep ^Seccomp: /proc/self/status; ls /dev/kmsg; touch /sys/fs/cgroup 2>&1"
        )
        out = await pod.output("sh", "-c", f"{script}; mount -t tmpfs none /tmp && echo mounted", linux=linux)
        assert "mounted" in out
        assert "Seccomp:\t0" in out


async def test_privileged_needs_a_privileged_pod(pod: CasePod) -> None:
    with pytest.raises(PodwrightError, match="rivileged"):
        await pod.create(linux=secured(privileged=True))
