"""What plug-ins want, in an OCI spec; and the built-in validator."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.errors import InvalidArgument, PermissionDenied
from podwright.runtime.config import NriValidatorSettings
from podwright.runtime.nri import adjusting, validating
from podwright.runtime.nri.api import nri_pb2 as pb
from podwright.runtime.nri.gathering import Gathered


def spec() -> dict[str, Any]:
    return {
        "process": {"args": ["sh"], "env": ["A=1", "B=2"], "rlimits": [{"type": "RLIMIT_CORE", "hard": 1, "soft": 1}]},
        "mounts": [{"destination": "/proc"}, {"destination": "/a/b"}],
        "annotations": {"x": "1"},
        "linux": {"namespaces": [{"type": "mount"}, {"type": "network", "path": "/n"}], "resources": {"devices": []}},
    }


def adjusted(**wanted: Any) -> dict[str, Any]:
    document = spec()
    adjusting.adjust(document, pb.ContainerAdjustment(**wanted))
    return document


def adjusted_linux(**wanted: Any) -> dict[str, Any]:
    return adjusted(linux=pb.LinuxContainerAdjustment(**wanted))


def test_nothing_wanted_changes_nothing() -> None:
    assert adjusted() == spec()


def test_keys_are_set_and_removed() -> None:
    document = adjusted(
        annotations={"-x": "", "y": "2"},
        env=[pb.KeyValue(key="-A"), pb.KeyValue(key="B", value="3"), pb.KeyValue(key="C", value="=")],
        args=["ls", "-l"],
    )
    assert document["annotations"] == {"y": "2"}
    assert document["process"]["env"] == ["B=3", "C=="]
    assert document["process"]["args"] == ["ls", "-l"]


def test_a_mount_does_not_hide_a_deeper_one() -> None:
    document = adjusted(mounts=[pb.Mount(destination="/a", source="/s"), pb.Mount(destination="-/proc")])
    assert [one["destination"] for one in document["mounts"]] == ["/a", "/a/b"]
    with pytest.raises(InvalidArgument, match="not an absolute path"):
        adjusted(mounts=[pb.Mount(destination="a")])


def test_hooks_and_rlimits() -> None:
    hook = pb.Hook(path="/h", args=["h"], timeout=pb.OptionalInt(value=3))
    document = adjusted(
        hooks=pb.Hooks(create_runtime=[hook]), rlimits=[pb.POSIXRlimit(type="RLIMIT_CORE", hard=3, soft=2)]
    )
    assert document["hooks"] == {"createRuntime": [{"path": "/h", "args": ["h"], "timeout": 3}]}
    assert document["process"]["rlimits"] == [{"type": "RLIMIT_CORE", "hard": 3, "soft": 2}]


def test_a_device_may_be_used() -> None:
    document = adjusted_linux(devices=[pb.LinuxDevice(path="/dev/x", type="c", major=1, minor=3)])
    assert document["linux"]["devices"] == [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3}]
    rule = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}
    assert document["linux"]["resources"]["devices"] == [rule]


def test_namespaces_sysctls_and_paths() -> None:
    document = adjusted_linux(
        namespaces=[pb.LinuxNamespace(type="-network"), pb.LinuxNamespace(type="ipc", path="/i")],
        sysctl={"net.a": "1"},
        cgroups_path="/c",
        oom_score_adj=pb.OptionalInt(value=0),
    )["linux"]
    assert document["namespaces"] == [{"type": "mount"}, {"type": "ipc", "path": "/i"}]
    assert (document["sysctl"], document["cgroupsPath"]) == ({"net.a": "1"}, "/c")


def test_resources() -> None:
    wanted = pb.LinuxResources(
        memory=pb.LinuxMemory(limit=pb.OptionalInt64(value=9), swappiness=pb.OptionalUInt64(value=0)),
        cpu=pb.LinuxCPU(shares=pb.OptionalUInt64(value=4), cpus="0-1"),
        hugepage_limits=[pb.HugepageLimit(page_size="2MB", limit=5)],
        unified={"memory.high": "7"},
        pids=pb.LinuxPids(limit=8),
    )
    assert adjusted_linux(resources=wanted)["linux"]["resources"] == {
        "devices": [],
        "memory": {"limit": 9, "swappiness": 0},
        "cpu": {"shares": 4, "cpus": "0-1"},
        "hugepageLimits": [{"pageSize": "2MB", "limit": 5}],
        "unified": {"memory.high": "7"},
        "pids": {"limit": 8},
    }


def test_what_newer_runtimes_know() -> None:
    document = adjusted_linux(
        io_priority=pb.LinuxIOPriority(kind=pb.IOPRIO_CLASS_IDLE, priority=1),
        scheduler=pb.LinuxScheduler(policy=pb.SCHED_BATCH, nice=5, flags=[pb.SCHED_FLAG_RESET_ON_FORK]),
        seccomp_policy=pb.LinuxSeccomp(
            default_action="SCMP_ACT_ERRNO", syscalls=[pb.LinuxSyscall(names=["read"], action="SCMP_ACT_ALLOW")]
        ),
        memory_policy=pb.LinuxMemoryPolicy(mode=pb.MPOL_BIND, nodes="0"),
        net_devices={"eth1": pb.LinuxNetDevice(name="data")},
        rdt=pb.LinuxRdt(clos_id=pb.OptionalString(value="gold")),
    )
    process, linux = document["process"], document["linux"]
    assert process["ioPriority"] == {"class": "IOPRIO_CLASS_IDLE", "priority": 1}
    assert process["scheduler"] == {"policy": "SCHED_BATCH", "nice": 5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
    assert linux["seccomp"] == {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}],
    }
    assert linux["memoryPolicy"] == {"mode": "MPOL_BIND", "nodes": "0"}
    assert linux["netDevices"] == {"eth1": {"name": "data"}}
    assert linux["intelRdt"] == {"closID": "gold"}


def request(
    wanted: pb.ContainerAdjustment, annotations: dict[str, str] | None = None
) -> pb.ValidateContainerAdjustmentRequest:
    gathered = Gathered(pb.Container(id="c", name="main"))
    gathered.take(pb.CreateContainerResponse(adjust=wanted), "culprit")
    return pb.ValidateContainerAdjustmentRequest(
        pod=pb.PodSandbox(annotations=annotations or {}),
        container=gathered.pristine,
        adjust=gathered.adjust,
        owners=gathered.owners.message,
        plugins=[pb.PluginInstance(name="culprit", index="10")],
    )


HOOKED = pb.ContainerAdjustment(hooks=pb.Hooks(poststop=[pb.Hook(path="/h")]))
SECCOMP = pb.ContainerAdjustment(linux=pb.LinuxContainerAdjustment(seccomp_policy=pb.LinuxSeccomp()))
MOVED = pb.ContainerAdjustment(linux=pb.LinuxContainerAdjustment(namespaces=[pb.LinuxNamespace(type="ipc")]))
TUNED = pb.ContainerAdjustment(linux=pb.LinuxContainerAdjustment(sysctl={"net.a": "1"}))


@pytest.mark.parametrize(
    ("key", "wanted", "what"),
    [
        ("reject_oci_hook_adjustment", HOOKED, "hooks"),
        ("reject_unconfined_seccomp_adjustment", SECCOMP, "seccomp"),
        ("reject_namespace_adjustment", MOVED, "namespaces"),
        ("reject_sysctl_adjustment", TUNED, "sysctls"),
    ],
)
def test_what_is_rejected(key: str, wanted: pb.ContainerAdjustment, what: str) -> None:
    validating.validate(NriValidatorSettings(), request(wanted))
    with pytest.raises(PermissionDenied, match=f"{what}.*culprit"):
        validating.validate(NriValidatorSettings(**{key: True}), request(wanted))  # type: ignore[arg-type] # a key
    validating.validate(NriValidatorSettings(**{key: True}), request(pb.ContainerAdjustment()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("annotations", "fails"),
    [
        ({}, "absent"),
        ({"t": "true"}, None),
        ({"t/container.main": "false", "t": "true"}, "absent"),
        ({"t": "perhaps"}, "neither"),
        ({"t": "false", "required-plugins.noderesource.dev": "[more]"}, "absent, more"),
        ({"required-plugins.noderesource.dev/pod": "{"}, "not a list"),
    ],
)
def test_required_plugins(annotations: dict[str, str], fails: str | None) -> None:
    settings = NriValidatorSettings(required_plugins=("absent", "culprit"), tolerate_missing_plugins_annotation="t")
    asked = request(pb.ContainerAdjustment(), annotations)
    if fails is None:
        validating.validate(settings, asked)
    else:
        with pytest.raises(PermissionDenied, match=fails):
            validating.validate(settings, asked)
