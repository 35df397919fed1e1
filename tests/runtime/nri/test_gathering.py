"""What plug-ins want, put together: order, removals, conflicts, owners."""

from __future__ import annotations

import pytest

from podwright.errors import FailedPrecondition
from podwright.runtime.nri.api import nri_pb2 as pb
from podwright.runtime.nri.gathering import Gathered


def gathered(*wanted: pb.ContainerAdjustment) -> Gathered:
    """Answers of the plug-ins "1", "2", and so on."""
    result = Gathered(pb.Container(id="c", annotations={"old": "1"}, env=["PATH=/bin", "OLD=1"], args=["sh"]))
    for number, one in enumerate(wanted, 1):
        result.take(pb.CreateContainerResponse(adjust=one), str(number))
    return result


def adjustment(**fields: object) -> pb.ContainerAdjustment:
    return pb.ContainerAdjustment(**fields)  # type: ignore[arg-type]


def linux(**fields: object) -> pb.ContainerAdjustment:
    return pb.ContainerAdjustment(linux=pb.LinuxContainerAdjustment(**fields))  # type: ignore[arg-type]


def hooked() -> pb.ContainerAdjustment:
    return adjustment(hooks=pb.Hooks(poststop=[pb.Hook(path="/h")]))


def limited(**memory: int) -> pb.ContainerAdjustment:
    wanted = pb.LinuxMemory()
    for name, value in memory.items():
        getattr(wanted, name).value = value
    return linux(resources=pb.LinuxResources(memory=wanted))


CONFLICTS = {
    "annotation": adjustment(annotations={"a": "x"}),
    "env": adjustment(env=[pb.KeyValue(key="A", value="x")]),
    "mount": adjustment(mounts=[pb.Mount(destination="/m")]),
    "args": adjustment(args=["x"]),
    "rlimit": adjustment(rlimits=[pb.POSIXRlimit(type="RLIMIT_NOFILE", hard=1, soft=1)]),
    "cdi": adjustment(CDI_devices=[pb.CDIDevice(name="a/b=c")]),
    "device": linux(devices=[pb.LinuxDevice(path="/dev/x", type="c")]),
    "namespace": linux(namespaces=[pb.LinuxNamespace(type="network", path="/p")]),
    "sysctl": linux(sysctl={"net.x": "1"}),
    "net device": linux(net_devices={"eth1": pb.LinuxNetDevice(name="x")}),
    "cgroup": linux(cgroups_path="/x"),
    "oom score": linux(oom_score_adj=pb.OptionalInt(value=5)),
    "io priority": linux(io_priority=pb.LinuxIOPriority(kind=pb.IOPRIO_CLASS_BE, priority=3)),
    "seccomp": linux(seccomp_policy=pb.LinuxSeccomp(default_action="SCMP_ACT_ALLOW")),
    "scheduler": linux(scheduler=pb.LinuxScheduler(policy=pb.SCHED_BATCH)),
    "memory policy": linux(memory_policy=pb.LinuxMemoryPolicy(mode=pb.MPOL_BIND, nodes="0")),
    "rdt": linux(rdt=pb.LinuxRdt(clos_id=pb.OptionalString(value="x"))),
    "memory": limited(limit=5),
    "cpus": linux(resources=pb.LinuxResources(cpu=pb.LinuxCPU(cpus="0"))),
    "huge pages": linux(resources=pb.LinuxResources(hugepage_limits=[pb.HugepageLimit(page_size="2MB", limit=1)])),
    "unified": linux(resources=pb.LinuxResources(unified={"memory.high": "1"})),
    "pids": linux(resources=pb.LinuxResources(pids=pb.LinuxPids(limit=7))),
    "blockio": linux(resources=pb.LinuxResources(blockio_class=pb.OptionalString(value="x"))),
}


@pytest.mark.parametrize("wanted", CONFLICTS.values(), ids=CONFLICTS)
def test_two_may_not_set_the_same(wanted: pb.ContainerAdjustment) -> None:
    with pytest.raises(FailedPrecondition, match="plug-ins 1 and 2 both set"):
        gathered(wanted, wanted)
    alone = gathered(wanted)
    assert alone.adjust == wanted
    assert alone.owners.message.owners["c"] != pb.FieldOwners()


REMOVALS = {
    "annotation": adjustment(annotations={"-a": "", "a": "y"}),
    "env": adjustment(env=[pb.KeyValue(key="-A"), pb.KeyValue(key="A", value="y")]),
    "mount": adjustment(mounts=[pb.Mount(destination="-/m"), pb.Mount(destination="/m", source="/y")]),
    "device": linux(devices=[pb.LinuxDevice(path="-/dev/x"), pb.LinuxDevice(path="/dev/x", type="b")]),
    "namespace": linux(namespaces=[pb.LinuxNamespace(type="-network"), pb.LinuxNamespace(type="network", path="/y")]),
    "args": adjustment(args=["", "y"]),
}


@pytest.mark.parametrize("kind", REMOVALS)
def test_a_removal_lets_another_set_it(kind: str) -> None:
    owners = gathered(CONFLICTS[kind], REMOVALS[kind]).owners.message.owners["c"]
    compound = [owner for field in owners.compound.values() for owner in field.owners.values()]
    assert [*owners.simple.values(), *compound] == ["2"]


def test_hooks_add_up() -> None:
    both = gathered(hooked(), hooked())
    assert len(both.adjust.hooks.poststop) == 2
    assert both.owners.message.owners["c"].simple[pb.OciHooks] == "1,2"


def test_the_next_one_sees_what_the_first_wants() -> None:
    first = adjustment(annotations={"-old": "", "new": "2"}, env=[pb.KeyValue(key="OLD", value="2")], args=["ls"])
    seen = gathered(first, limited(limit=9)).container
    assert dict(seen.annotations) == {"new": "2"}
    assert list(seen.env) == ["PATH=/bin", "OLD=2"]
    assert list(seen.args) == ["ls"]
    assert seen.linux.resources.memory.limit.value == 9


def test_the_container_itself_is_not_updated() -> None:
    answer = pb.CreateContainerResponse(update=[pb.ContainerUpdate(container_id="c")])
    with pytest.raises(FailedPrecondition, match="being created"):
        gathered().take(answer, "1")


@pytest.mark.parametrize("ignored", [False, True])
def test_updates_of_others_conflict_too(ignored: bool) -> None:
    def update(limit: int) -> pb.CreateContainerResponse:
        wanted = limited(limit=limit).linux.resources
        other = pb.ContainerUpdate(container_id="o", linux=pb.LinuxContainerUpdate(resources=wanted))
        other.ignore_failure = ignored
        return pb.CreateContainerResponse(update=[other])

    result = gathered()
    result.take(update(1), "1")
    if ignored:
        result.take(update(2), "2")
        assert result.updates["o"].linux.resources.memory.limit.value == 1
    else:
        with pytest.raises(FailedPrecondition):
            result.take(update(2), "2")
