"""Which CPUs are chosen, against what the kubelet chooses on the same machines."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from podwright.agent.resources.cpus.layout import CpuLayout, Cpus
from podwright.agent.resources.cpus.spreading import take_spread
from podwright.agent.resources.cpus.taking import take_packed
from podwright.errors import ResourceExhausted
from podwright.linux.cpu_lists import parse, spelt
from tests.agent.resources.topology.trees import Shape, machine

CHOICES = [
    line.split()
    for line in (Path(__file__).parent / "choices.txt").read_text().splitlines()
    if not line.startswith("#")
]


@pytest.fixture(scope="session")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Layouts of machines, each read once."""

    @cache
    def of(*numbers: str) -> CpuLayout:
        sockets, nodes, cores, threads, caches = map(int, numbers)
        shape = Shape(
            sockets=sockets, nodes_per_socket=nodes, cores_per_node=cores, threads=threads, caches_per_node=caches
        )
        return CpuLayout(machine(tmp_path_factory.mktemp("machine"), shape))

    return of


@pytest.mark.parametrize("choice", CHOICES, ids=" ".join)
def test_the_kubelet_chooses_the_same(choice: list[str], layouts: type[CpuLayout]) -> None:
    *numbers, how, free, count, chosen = choice
    layout: CpuLayout = layouts(*numbers)  # type: ignore[arg-type]
    available = parse("" if free == "-" else free)
    if chosen == "none":
        with pytest.raises(ResourceExhausted, match="not enough cpus available"):
            take(layout, how, available, int(count))
    else:
        assert spelt(take(layout, how, available, int(count))) == chosen


def take(layout: CpuLayout, how: str, available: Cpus, count: int) -> Cpus:
    if how.startswith("spread"):
        return take_spread(layout, available, count, group=int(how.partition("-")[2]))
    return take_packed(layout, available, count, spread_cores=how == "across-cores", by_cache=how == "by-cache")


def test_a_socket_may_be_a_part_of_a_node(tmp_path: Path) -> None:
    """Then whole nodes are taken first."""
    shape = Shape(nodes_per_socket=2, cores_per_node=2, threads=1)
    found = CpuLayout(machine(tmp_path, shape))
    assert found.hierarchy() == ("socket", "node")
    assert CpuLayout(machine(tmp_path / "other", Shape(sockets=2))).hierarchy() == ("node", "socket")
