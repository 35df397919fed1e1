"""Drivers that register, and what the cluster is told of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.csi import node_object, refreshing
from podwright.agent.csi.drivers import CsiDrivers, NoCluster, highest_version
from podwright.agent.csi.refreshing import Refresher
from podwright.agent.csi.values import CsiFailed, NodeInfo
from podwright.agent.plugins.protocol import CSI_PLUGIN, Plugin
from podwright.conformance.patience import patient
from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError, Unavailable
from podwright.k8s.objects import CSIDriver, CSIDriverSpec, Node, ObjectMeta
from tests.harness.csi_driver import CsiDriver

INFO = NodeInfo(node_id="n1", max_volumes=5, topology={"zone": "z1"})


def node(**metadata: Any) -> Node:
    return Node(metadata=ObjectMeta(name="node-a", uid="node-uid", **metadata))


def plugin(*versions: str, name: str = "a.csi.test", endpoint: str = "/run/a.sock") -> Plugin:
    return Plugin(kind=CSI_PLUGIN, name=name, endpoint=endpoint, versions=versions or ("1.0.0",))


@pytest.mark.parametrize(
    ("versions", "highest"),
    [
        (("1.0.0",), (1, 0, 0)),
        (("v1.2.0", "1.11.3"), (1, 11, 3)),
        (("0.3.0",), None),
        (("2.0.0",), None),
        (("1", "x", ""), None),
        ((), None),
    ],
)
def test_versions(versions: tuple[str, ...], highest: tuple[int, int, int] | None) -> None:
    assert highest_version(versions) == highest


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 64, "-a"])
def test_a_name_becomes_no_path(name: str) -> None:
    with pytest.raises(InvalidArgument):
        CsiDrivers(NoCluster()).validate(plugin(name=name))


async def test_a_driver_that_does_not_answer_is_not_used(tmp_path: Any) -> None:
    drivers = CsiDrivers(NoCluster())
    with pytest.raises(CsiFailed):
        await drivers.register(plugin(endpoint=str(tmp_path / "none.sock")))
    with pytest.raises(Unavailable, match="not found in the list of registered CSI drivers"):
        drivers.node("a.csi.test")
    await drivers.deregister(plugin())


async def test_a_server_that_talks_nonsense_is_no_driver(tmp_path: Path) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhello\n" * 100)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    ended = asyncio.Event()

    path = str(tmp_path / "s.sock")
    async with await asyncio.start_unix_server(babble, path):
        with pytest.raises(CsiFailed, match="rpc error: code = Unavailable"):
            await CsiDrivers(NoCluster()).register(plugin(endpoint=path))
        await ended.wait()


def test_the_csi_node_has_each_driver_once() -> None:
    first = node_object.with_driver(node_object.new_csi_node(node()), "a", INFO)
    again = node_object.with_driver(first, "a", NodeInfo(node_id="n1", max_volumes=5, topology={"zone": "other"}))
    assert node_object.is_same(first, again)
    both = node_object.with_driver(first, "b", NodeInfo(node_id="n2", max_volumes=-1))
    assert [(each.name, each.allocatable and each.allocatable.count) for each in both.spec.drivers] == [
        ("a", 5),
        ("b", None),
    ]
    assert not node_object.is_same(first, both)
    assert node_object.is_same(node_object.without_driver(both, "b"), first)
    assert node_object.is_owned(first, node())
    assert not node_object.is_owned(first, replace(node(), metadata=ObjectMeta(name="node-a", uid="new")))


def test_the_node_has_the_drivers_names_and_topology() -> None:
    body = node_object.node_patch(node(), "a", INFO)
    assert json.loads(body["metadata"]["annotations"][node_object.NODE_ID]) == {"a": "n1"}
    assert body["metadata"]["labels"] == {"zone": "z1"}
    known = node(labels={"zone": "z1"}, annotations={node_object.NODE_ID: '{"a":"n1","b":"n2"}'})
    assert node_object.node_patch(known, "a", INFO) == {}
    gone = node_object.node_patch(known, "a", None)
    assert json.loads(gone["metadata"]["annotations"][node_object.NODE_ID]) == {"b": "n2"}
    last = node(annotations={node_object.NODE_ID: '{"a":"n1"}'})
    assert node_object.node_patch(last, "a", None) == {"metadata": {"annotations": {node_object.NODE_ID: None}}}
    with pytest.raises(FailedPrecondition, match="topology value collision"):
        node_object.node_patch(node(labels={"zone": "z2"}), "a", INFO)
    with pytest.raises(InvalidArgument, match="must not be empty"):
        node_object.node_patch(node(), "a", NodeInfo(node_id=""))
    garbage = node(annotations={node_object.NODE_ID: "{"})
    assert json.loads(node_object.node_patch(garbage, "a", INFO)["metadata"]["annotations"][node_object.NODE_ID]) == {
        "a": "n1"
    }


class NotingCluster(NoCluster):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[NodeInfo] = []

    async def install(self, driver: str, info: NodeInfo) -> None:
        self.told.append(info)


async def test_a_drivers_figures_are_renewed_when_the_cluster_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshing, "TICK_S", 0.01)
    cluster = NotingCluster()
    drivers, wanted = CsiDrivers(cluster), CSIDriverSpec()
    async with CsiDriver(tmp_path, tmp_path / "registry") as driver:
        await drivers.register(plugin(name=driver.name, endpoint=str(tmp_path / "csi.sock")))
        spec = CSIDriverSpec(node_allocatable_update_period_seconds=1)
        found = {"never": wanted, "each second": spec}
        now = "never"
        refresher = Refresher(drivers, lambda _: CSIDriver(spec=found[now]))
        running = asyncio.ensure_future(refresher.run())
        await asyncio.sleep(0.1)
        driver.max_volumes, now = 3, "each second"
        async with asyncio.timeout(patient(60)):
            while len(cluster.told) < 2:  # noqa: ASYNC110 # nobody tells
                await asyncio.sleep(0.01)
        running.cancel()
    assert [info.max_volumes for info in cluster.told[:2]] == [7, 3]


def test_which_failures_are_for_good() -> None:
    assert CsiFailed("INTERNAL", "x").is_final
    assert not CsiFailed("DEADLINE_EXCEEDED", "x").is_final
    assert not CsiFailed("ABORTED", "x").is_final
    assert str(CsiFailed("INVALID_ARGUMENT", "no")) == "rpc error: code = InvalidArgument desc = no"
    assert isinstance(CsiFailed("NOT_FOUND", "x"), PodwrightError)
    assert CsiFailed("NOT_FOUND", "x").is_infeasible
