"""The device manager's decisions: what a node has, who gets which device, on which NUMA nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from podwright.agent.configs.devices import HostMount
from podwright.agent.resources.devices.answers import allocation_of
from podwright.agent.resources.devices.choice import WantedDevices, choose
from podwright.agent.resources.devices.inventory import GONE_AFTER_S, Inventory, PluginDevice
from podwright.agent.resources.devices.registration import is_device_resource_name
from podwright.agent.resources.devices.topology import device_hints
from podwright.agent.resources.topology.masks import mask_of, nodes_of
from podwright.errors import FailedPrecondition
from podwright.kubelet_grpc import device_plugin_pb2 as messages

THING = "example.com/thing"


def devices(**nodes: tuple[int, ...]) -> dict[str, PluginDevice]:
    return {name: PluginDevice(id=name, nodes=where) for name, where in nodes.items()}


def shown(inventory: Inventory, now: float = 0.0) -> tuple[Mapping[str, int], Mapping[str, int]]:
    counts = inventory.counts(now)
    return counts.capacity, counts.allocatable


# -- inventory


def test_a_resource_is_shown_from_its_first_list() -> None:
    inventory = Inventory()
    inventory.connect(THING)
    assert shown(inventory) == ({}, {})
    inventory.update(THING, [PluginDevice(id="a"), PluginDevice(id="b", is_healthy=False)])
    assert shown(inventory) == ({THING: 2}, {THING: 1})


def test_a_plugin_that_ends_before_it_lists_has_nothing() -> None:
    inventory = Inventory()
    inventory.connect(THING)
    inventory.disconnect(THING, 0.0)
    assert shown(inventory) == ({THING: 0}, {THING: 0})
    assert not inventory.is_known(THING)


def test_what_a_plugin_leaves_stays_unhealthy_for_a_while_and_then_counts_as_zero() -> None:
    inventory = Inventory()
    inventory.connect(THING)
    inventory.update(THING, [PluginDevice(id="a")])
    inventory.disconnect(THING, 10.0)
    assert shown(inventory, 10.0 + GONE_AFTER_S) == ({THING: 1}, {THING: 0})
    assert shown(inventory, 10.1 + GONE_AFTER_S) == ({THING: 0}, {THING: 0})
    assert not inventory.is_known(THING)
    inventory.connect(THING)
    assert shown(inventory, 400.0) == ({THING: 0}, {THING: 0})
    inventory.update(THING, [PluginDevice(id="a")])
    assert shown(inventory, 400.0) == ({THING: 1}, {THING: 1})


def test_a_plugin_that_comes_back_gives_nothing_until_it_has_listed() -> None:
    inventory = Inventory()
    inventory.update(THING, [PluginDevice(id="a")])
    inventory.disconnect(THING, 0.0)
    inventory.connect(THING)
    assert inventory.healthy(THING) == frozenset()
    inventory.update(THING, [PluginDevice(id="a")])
    assert inventory.healthy(THING) == {"a"}


def test_what_an_earlier_agent_had_is_expected_and_has_no_devices() -> None:
    inventory = Inventory()
    inventory.expect(THING, 0.0)
    assert inventory.is_known(THING)
    assert shown(inventory, 1.0) == ({THING: 0}, {THING: 0})
    assert inventory.registered() == {THING: []}


def test_changes_are_those_of_health_and_new_devices() -> None:
    inventory = Inventory()
    assert inventory.update(THING, [PluginDevice(id="a"), PluginDevice(id="b")]) == {"a", "b"}
    assert inventory.update(THING, [PluginDevice(id="a"), PluginDevice(id="b", nodes=(1,))]) == frozenset()
    assert inventory.update(THING, [PluginDevice(id="a", is_healthy=False)]) == {"a"}
    assert inventory.update(THING, [PluginDevice(id="a", is_healthy=False), PluginDevice(id="b")]) == {"b"}


# -- choice


def chosen(prefers: Collection[str] = (), **wanted: Any) -> tuple[list[str], list[tuple[list[str], list[str], int]]]:
    asked: list[tuple[list[str], list[str], int]] = []

    async def prefer(free: Collection[str], taken: Collection[str], count: int) -> Collection[str]:
        asked.append((list(free), list(taken), count))
        return prefers

    found = asyncio.run(choose(WantedDevices(resource=THING, **wanted), prefer))
    return sorted(found), asked


ALL = devices(a=(0,), b=(0,), c=(1,), d=(1,), e=())


@pytest.mark.parametrize(
    ("wanted", "prefers", "found", "asked"),
    [
        pytest.param({"count": 2}, (), ["a", "b"], [(list("abcde"), [], 2)], id="without-an-opinion"),
        pytest.param({"count": 2}, "ce", ["c", "e"], [(list("abcde"), [], 2)], id="as-the-plugin-says"),
        pytest.param({"count": 2}, "c", ["a", "c"], [(list("abcde"), [], 2)], id="an-opinion-on-a-part"),
        pytest.param({"count": 2}, "cdex", ["c", "d"], [(list("abcde"), [], 2)], id="an-opinion-on-too-many"),
        pytest.param({"count": 1, "nodes": mask_of([1])}, "ad", ["d"], [(list("cd"), [], 1)], id="aligned"),
        pytest.param({"count": 2, "nodes": mask_of([1])}, "ab", ["c", "d"], [], id="all-aligned-ones"),
        pytest.param(
            {"count": 3, "nodes": mask_of([1])}, "b", ["b", "c", "d"], [(list("abcde"), ["c", "d"], 3)], id="and-more"
        ),
        pytest.param(
            {"count": 5, "nodes": mask_of([1])}, (), list("abcde"), [(list("abcde"), ["c", "d"], 5)], id="all"
        ),
        pytest.param({"count": 1, "reusable": {"e"}, "free": set("abcd")}, "a", ["e"], [], id="reused"),
        pytest.param(
            {"count": 2, "reusable": {"e"}, "free": set("abcd")},
            "b",
            ["b", "e"],
            [(list("abcde"), ["e"], 2)],
            id="reused-and-one-more",
        ),
    ],
)
def test_who_gets_which(wanted: dict[str, Any], prefers: str, found: list[str], asked: list[Any]) -> None:
    given = {"devices": ALL, "free": set(ALL), **wanted}
    assert chosen(prefers, **given) == (found, asked)


def test_too_few_devices() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        chosen(count=3, devices=ALL, free={"a", "b"})
    assert str(caught.value) == (
        "requested number of devices unavailable for example.com/thing. Requested: 3, Available: 2"
    )


# -- hints


def hinted(
    found: Mapping[str, PluginDevice], wanted: int, free: str = "", reusable: str = ""
) -> list[tuple[tuple[int, ...], bool]] | None:
    hints = device_hints(found, set(free or found), set(reusable), wanted, [0, 1])
    return None if hints is None else [(nodes_of(hint.nodes or mask_of([])), hint.preferred) for hint in hints]


@pytest.mark.parametrize(
    ("found", "given", "expected"),
    [
        pytest.param(devices(a=(), b=()), {"wanted": 1}, None, id="no-topology"),
        pytest.param(devices(a=(0,), b=(1,)), {"wanted": 3}, [], id="too-few"),
        pytest.param(
            devices(a=(0,), b=(1,)), {"wanted": 1}, [((0,), True), ((1,), True), ((0, 1), False)], id="either"
        ),
        pytest.param(devices(a=(0,), b=(1,)), {"wanted": 2}, [((0, 1), True)], id="both"),
        # One node would do if its devices were free, so that what is left is not preferred.
        pytest.param(
            devices(a=(0,), b=(0,), c=(1,)), {"wanted": 2, "free": "ac"}, [((0, 1), False)], id="split-by-others"
        ),
        pytest.param(
            devices(a=(0,), b=(1,)),
            {"wanted": 1, "free": "b", "reusable": "a"},
            [((0,), True), ((0, 1), False)],
            id="with-what-is-reused",
        ),
        pytest.param(devices(a=(7,), b=(0,)), {"wanted": 1, "free": "b"}, [((0,), True)], id="a-node-that-is-not"),
    ],
)
def test_hints(
    found: dict[str, PluginDevice], given: dict[str, Any], expected: list[tuple[tuple[int, ...], bool]] | None
) -> None:
    assert hinted(found, **given) == expected


# -- answers and names


def test_two_answers_for_one_container_and_the_first_counts() -> None:
    mount = messages.Mount(container_path="/m", host_path="/one", read_only=True)
    first = messages.ContainerAllocateResponse(
        envs={"A": "1"}, mounts=[mount], cdi_devices=[messages.CDIDevice(name="v/c=a")]
    )
    second = messages.ContainerAllocateResponse(
        envs={"A": "2", "B": "3"},
        mounts=[messages.Mount(container_path="/m", host_path="/two")],
        annotations={"k": "v"},
        cdi_devices=[messages.CDIDevice(name="v/c=a"), messages.CDIDevice(name="v/c=b")],
    )
    found = allocation_of([first.SerializeToString(), second.SerializeToString()])
    assert found.environment == {"A": "1", "B": "3"}
    assert found.mounts == (HostMount(host_path="/one", container_path="/m", read_only=True),)
    assert (found.annotations, found.cdi_devices) == ({"k": "v"}, ("v/c=a", "v/c=b"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("example.com/gpu", True),
        ("gpu", False),
        ("kubernetes.io/gpu", False),
        ("node.kubernetes.io/gpu", False),
        ("notkubernetes.io/gpu", True),
        ("requests.example.com/gpu", False),
        ("example.com/", False),
        ("/gpu", False),
        ("example.com/a/b", False),
        ("EXAMPLE.com/gpu", False),
    ],
)
def test_names_of_resources(name: str, expected: bool) -> None:
    assert is_device_resource_name(name) is expected
