"""Who gets CPUs of his own, which NUMA nodes can serve him, and what of an old state can be gone on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.agent.pods.failures import NotAdmitted
from podwright.agent.resources.cpus.assignments import CpuAssignments
from podwright.agent.resources.cpus.layout import CpuLayout
from podwright.agent.resources.cpus.options import CpuOptions, check_machine, read_cpu_options
from podwright.agent.resources.cpus.static import StaticPolicy, reserve, reusable, wanted_by_pod, wanted_cpus
from podwright.agent.resources.topology.hints import ANYWHERE, TopologyHint
from podwright.agent.resources.topology.masks import mask_of
from podwright.errors import FailedPrecondition, InvalidArgument, ResourceExhausted
from podwright.k8s.objects import Container, Pod, ResourceRequirements
from podwright.linux.cpu_lists import parse, spelt
from tests.agent.fakes.pods import container, pod
from tests.agent.resources.topology.trees import Shape, machine

ALL_GATES = {"CPUManagerPolicyAlphaOptions": True, "CPUManagerPolicyBetaOptions": True}


def asking(name: str, cpu: str, *, limit: str = "", **fields: str) -> Container:
    requests, limits = {"cpu": cpu, "memory": "1Mi"}, {"cpu": limit or cpu, "memory": "1Mi"}
    return container(name, resources=ResourceRequirements(requests=requests, limits=limits), **fields)


def guaranteed(*cpus: str, name: str = "web", init: tuple[Container, ...] = ()) -> Pod:
    containers = tuple(asking(f"c{index}", cpu) for index, cpu in enumerate(cpus))
    return pod(name, containers=containers, init_containers=init)


def policy(tmp_path: Path, shape: Shape, reserved: str = "0", **options: bool) -> StaticPolicy:
    return StaticPolicy(CpuLayout(machine(tmp_path, shape)), parse(reserved), CpuOptions(**options))


def allocate(
    asked: StaticPolicy, wanted: Pod, state: CpuAssignments | None = None, on: TopologyHint = ANYWHERE
) -> CpuAssignments:
    state = state or asked.initial()
    for each in (*wanted.spec.init_containers, *wanted.spec.containers):
        state = asked.allocated(state, wanted, each, on)
    return state


def shown(state: CpuAssignments) -> dict[str, str]:
    own = {name: spelt(cpus) for containers in state.own.values() for name, cpus in containers.items()}
    return {"shared": spelt(state.shared), **own}


def prefers(*nodes: int) -> TopologyHint:
    return TopologyHint(nodes=mask_of(nodes), preferred=True)


def takes(*nodes: int) -> TopologyHint:
    return TopologyHint(nodes=mask_of(nodes), preferred=False)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (guaranteed("2"), 2),
        (guaranteed("2000m"), 2),
        (guaranteed("1500m"), 0),
        (pod(containers=(asking("c0", "1", limit="2"),)), 0),
        (pod(), 0),
        (pod(containers=(asking("c0", "1"),), resources=ResourceRequirements(requests={"cpu": "2"})), 0),
    ],
    ids=["whole", "whole in thousandths", "a part", "burstable", "best effort", "of the pod as a whole"],
)
def test_who_gets_cpus(asked: Pod, wanted: int) -> None:
    assert wanted_cpus(asked, asked.spec.containers[0]) == wanted


def test_a_pod_needs_what_runs_at_one_time() -> None:
    init = (asking("i0", "3"), asking("sidecar", "1", restart_policy="Always"), asking("i1", "3"))
    assert wanted_by_pod(guaranteed("1", "1", init=init)) == 4
    assert wanted_by_pod(guaranteed("2", "2", init=init)) == 5


class TestAllocation:
    def test_leaves_the_reserved_ones_to_all(self, tmp_path: Path) -> None:
        asked = policy(tmp_path, Shape(cores_per_node=2))
        assert shown(allocate(asked, guaranteed("2"))) == {"shared": "0,2", "c0": "1,3"}
        with pytest.raises(ResourceExhausted, match="requested=4, available=3"):
            allocate(asked, guaranteed("4"))

    def test_is_strict_about_them_if_told(self, tmp_path: Path) -> None:
        asked = policy(tmp_path, Shape(cores_per_node=2), strict=True)
        assert shown(asked.initial()) == {"shared": "1-3"}

    def test_stays_as_it_is(self, tmp_path: Path) -> None:
        asked, web = policy(tmp_path, Shape()), guaranteed("2")
        state = allocate(asked, web)
        assert allocate(asked, web, state) == state
        assert state.released(web.metadata.uid) == asked.initial()

    def test_init_containers_pass_their_cpus_on(self, tmp_path: Path) -> None:
        init = (asking("i0", "2"), asking("sidecar", "1", restart_policy="Always"), asking("i1", "1"))
        web = guaranteed("2", init=init)
        state = allocate(policy(tmp_path, Shape(threads=1, cores_per_node=6)), web)
        assert shown(state) == {"i0": "1-2", "sidecar": "1", "i1": "2", "c0": "2-3", "shared": "0,4-5"}
        assert spelt(reusable(state, web, web.spec.containers[0])) == "2"
        assert shown(state.released(web.metadata.uid)) == {"shared": "0-5"}

    def test_comes_from_the_nodes_of_the_hint_first(self, tmp_path: Path) -> None:
        asked = policy(tmp_path, Shape(sockets=2, cores_per_node=2, threads=1))
        assert shown(allocate(asked, guaranteed("2"), on=prefers(1))) == {"shared": "0-1", "c0": "2-3"}
        assert shown(allocate(asked, guaranteed("3"), on=prefers(1))) == {"shared": "0", "c0": "1-3"}

    def test_aligned_by_socket(self, tmp_path: Path) -> None:
        shape = Shape(sockets=2, nodes_per_socket=2, cores_per_node=2, threads=1)
        asked = policy(tmp_path, shape, by_socket=True)
        assert shown(allocate(asked, guaranteed("4"), on=prefers(2)))["c0"] == "4-7"

    @pytest.mark.parametrize(
        ("wanted", "message"),
        [
            ("1", "requested 1 cpus not multiple cpus per core = 2"),
            ("8", "available physical CPUs = 6, requested CPUs = 8, CPUs per core = 2"),
        ],
    )
    def test_only_whole_cores(self, wanted: str, message: str, tmp_path: Path) -> None:
        asked = policy(tmp_path, Shape(), whole_cores=True)
        assert shown(allocate(asked, guaranteed("2")))["c0"] == "1,5"
        with pytest.raises(NotAdmitted, match=message) as refused:
            allocate(asked, guaranteed(wanted))
        assert refused.value.reason == "SMTAlignmentError"

    def test_equal_shares_of_nodes(self, tmp_path: Path) -> None:
        asked = policy(tmp_path, Shape(sockets=2, threads=1), reserved="", across_nodes=True)
        assert shown(allocate(asked, guaranteed("6")))["c0"] == "0-2,4-6"

    def test_threads_of_different_cores(self, tmp_path: Path) -> None:
        asked = policy(tmp_path, Shape(), reserved="", across_cores=True)
        assert shown(allocate(asked, guaranteed("4")))["c0"] == "0-3"

    def test_one_cache(self, tmp_path: Path) -> None:
        shape = Shape(cores_per_node=8, threads=1, caches_per_node=2)
        assert shown(allocate(policy(tmp_path, shape), guaranteed("4")))["c0"] == "1-4"
        assert shown(allocate(policy(tmp_path, shape, by_cache=True), guaranteed("4")))["c0"] == "4-7"


class TestHints:
    def test_of_a_container(self, tmp_path: Path) -> None:
        asked = policy(tmp_path, Shape(sockets=2, threads=1))
        assert hints(asked, guaranteed("3")) == [prefers(0), prefers(1), takes(0, 1)]
        assert hints(asked, guaranteed("4")) == [prefers(1), takes(0, 1)], "one of the first node's is reserved"
        assert hints(asked, guaranteed("5")) == [prefers(0, 1)]
        assert hints(asked, guaranteed("8")) == []
        assert hints(asked, guaranteed("500m")) is None

    def test_of_one_that_has_its_cpus(self, tmp_path: Path) -> None:
        asked, web = policy(tmp_path, Shape(sockets=2, threads=1)), guaranteed("2")
        state = allocate(asked, web, on=prefers(1))
        assert asked.hints(state, web, web.spec.containers[0]) == [prefers(1), takes(0, 1)]
        larger = guaranteed("3")
        assert asked.hints(state, larger, larger.spec.containers[0]) == []

    def test_of_a_pod(self, tmp_path: Path) -> None:
        asked, web = policy(tmp_path, Shape(sockets=2, threads=1)), guaranteed("2", "2")
        assert asked.pod_hints(asked.initial(), web) == [prefers(1), takes(0, 1)]
        state = allocate(asked, web, on=prefers(1))
        assert asked.pod_hints(state, web) == [prefers(1), takes(0, 1)]
        assert asked.pod_hints(state, guaranteed("2", "3")) == []
        assert asked.pod_hints(state, pod()) is None

    def test_sockets_count_as_aligned_if_told(self, tmp_path: Path) -> None:
        shape = Shape(sockets=2, nodes_per_socket=2, cores_per_node=2, threads=1)
        asked = policy(tmp_path, shape, by_socket=True)
        found = {hint.nodes: hint.preferred for hint in hints(asked, guaranteed("2")) or ()}
        assert (found[mask_of([2, 3])], found[mask_of([1, 2])]) == (True, False)


def hints(asked: StaticPolicy, wanted: Pod) -> list[TopologyHint] | None:
    found = asked.hints(asked.initial(), wanted, wanted.spec.containers[0])
    return None if found is None else list(found)


class TestOldState:
    @pytest.mark.parametrize(
        ("shared", "own", "message"),
        [
            ("1-3", {}, "not all reserved cpus"),
            ("0-2", {"a": {"b": "2-3"}}, "overlaps with default cpuset"),
            ("0-2", {}, "current set of available CPUs"),
            ("0-4", {}, "current set of available CPUs"),
        ],
    )
    def test_that_does_not_fit(
        self, shared: str, own: dict[str, dict[str, str]], message: str, tmp_path: Path
    ) -> None:
        with pytest.raises(FailedPrecondition, match=message):
            policy(tmp_path, Shape(cores_per_node=2)).check(assigned(shared, own))

    def test_that_fits(self, tmp_path: Path) -> None:
        policy(tmp_path, Shape(cores_per_node=2)).check(assigned("0-1", {"a": {"b": "2-3", "c": "3"}}))

    def test_of_a_strict_policy(self, tmp_path: Path) -> None:
        asked = policy(tmp_path, Shape(cores_per_node=2), strict=True)
        asked.check(asked.initial())
        with pytest.raises(FailedPrecondition, match="strictly reserved"):
            asked.check(assigned("0-3", {}))


def assigned(shared: str, own: dict[str, dict[str, str]]) -> CpuAssignments:
    return CpuAssignments(
        shared=parse(shared),
        own={uid: {name: parse(text) for name, text in containers.items()} for uid, containers in own.items()},
    )


class TestReserving:
    def test_the_first_cores(self, tmp_path: Path) -> None:
        layout = CpuLayout(machine(tmp_path, Shape()))
        assert spelt(reserve(layout, frozenset(), 2, CpuOptions())) == "0,4"
        assert spelt(reserve(layout, parse("3"), 1, CpuOptions())) == "3"

    def test_more_than_there_are(self, tmp_path: Path) -> None:
        layout = CpuLayout(machine(tmp_path, Shape()))
        with pytest.raises(FailedPrecondition, match="unable to reserve"):
            reserve(layout, frozenset(), 9, CpuOptions())
        with pytest.raises(FailedPrecondition, match="not a subset of online-cpus"):
            reserve(layout, parse("7-8"), 2, CpuOptions())


class TestOptions:
    def test_all_of_them(self) -> None:
        assert read_cpu_options({"full-pcpus-only": "true", "align-by-socket": "false"}, ALL_GATES) == CpuOptions(
            whole_cores=True
        )

    @pytest.mark.parametrize(
        ("texts", "message"),
        [
            ({"fast": "true"}, "unknown CPU Manager Policy option"),
            ({"full-pcpus-only": "yes"}, "not a boolean"),
            ({"align-by-socket": "true"}, "not enabled"),
        ],
    )
    def test_bad_ones(self, texts: dict[str, str], message: str) -> None:
        with pytest.raises(InvalidArgument, match=message):
            read_cpu_options(texts, {**ALL_GATES, "CPUManagerPolicyAlphaOptions": False})

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("full-pcpus-only", "distribute-cpus-across-cores"),
            ("distribute-cpus-across-numa", "distribute-cpus-across-cores"),
            ("prefer-align-cpus-by-uncorecache", "distribute-cpus-across-cores"),
            ("prefer-align-cpus-by-uncorecache", "distribute-cpus-across-numa"),
        ],
    )
    def test_what_excludes_each_other(self, one: str, other: str) -> None:
        with pytest.raises(InvalidArgument, match="same time"):
            read_cpu_options({one: "true", other: "true"}, ALL_GATES)

    def test_machines_that_cannot_be_aligned_by_socket(self, tmp_path: Path) -> None:
        layout = CpuLayout(machine(tmp_path, Shape()))
        check_machine(CpuOptions(by_socket=True), layout, "restricted")
        with pytest.raises(FailedPrecondition, match="incompatible"):
            check_machine(CpuOptions(by_socket=True), layout, "single-numa-node")
