"""Routes to the pods of other nodes: which are wanted, and how the host's become so."""

from __future__ import annotations

import asyncio
import json

import pytest

from podwright.agent.node.pod_routes import PROTOCOL, PodRoutes, changes, wanted_routes
from podwright.agent.objects.following import FollowedObjects
from podwright.k8s.client.protocol import Selection
from podwright.k8s.objects import Node, NodeAddress, NodeSpec, NodeStatus, ObjectMeta
from podwright.process import Command, Completed
from tests.agent.fakes.direct import DirectApi, settle
from tests.agent.fakes.time import run_virtual
from tests.harness.apiserver.server import ApiServer


def node(name: str, address: str, *cidrs: str) -> Node:
    addresses = (NodeAddress(type="Hostname", address=name), NodeAddress(type="InternalIP", address=address))
    return Node(
        metadata=ObjectMeta(name=name),
        spec=NodeSpec(pod_cidr=cidrs[0] if cidrs else "", pod_cidrs=cidrs),
        status=NodeStatus(addresses=addresses if address else ()),
    )


OWN, OTHER = node("a", "10.0.0.1", "10.244.0.0/24"), node("b", "10.0.0.2", "10.244.1.0/24")


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param([OWN, OTHER], {"10.244.1.0/24": "10.0.0.2"}, id="another node"),
        pytest.param([OWN, node("b", "10.0.0.2")], {}, id="without a range yet"),
        pytest.param([OWN, node("b", "", "10.244.1.0/24")], {}, id="without an address yet"),
        pytest.param([node("b", "fd00::2", "fd01::/64", "10.244.1.0/24")], {}, id="without an IPv4 address"),
        pytest.param(
            [node("b", "10.0.0.2", "fd01::/64", "10.244.1.0/24")], {"10.244.1.0/24": "10.0.0.2"}, id="two families"
        ),
        pytest.param([node("b", "10.0.0.2", "nonsense")], {}, id="what is no network"),
        pytest.param(
            [node("c", "10.0.0.3", "10.244.1.0/24"), OTHER], {"10.244.1.0/24": "10.0.0.2"}, id="one range twice"
        ),
    ],
)
def test_the_routes_of_a_node(nodes: list[Node], expected: dict[str, str]) -> None:
    assert wanted_routes(nodes, "a") == expected


def test_only_what_differs_is_changed() -> None:
    present = {"10.244.1.0/24": "10.0.0.9", "10.244.2.0/24": "10.0.0.3", "10.244.9.0/24": "10.0.0.4"}
    wanted = {"10.244.1.0/24": "10.0.0.2", "10.244.2.0/24": "10.0.0.3"}
    assert changes(wanted, present) == [
        ("del", "10.244.9.0/24", "proto", PROTOCOL),
        ("replace", "10.244.1.0/24", "via", "10.0.0.2", "proto", PROTOCOL),
    ]
    assert changes(wanted, wanted) == []


class Host:
    """A runner whose `ip` has one table. Gateways in `unreachable` are refused, as the kernel does."""

    def __init__(self) -> None:
        self.routes: dict[str, str] = {}
        self.unreachable: set[str] = set()

    async def run(self, command: Command) -> Completed:
        match command.argv:
            case ("ip", "-4", "-j", "route", "show", *_):
                listed = [{"dst": dst, "gateway": via, "dev": "eth0"} for dst, via in self.routes.items()]
                return _done(json.dumps(listed) if listed else "")
            case ("ip", "-4", "route", "replace", dst, "via", via, *_):
                if via in self.unreachable:
                    return _done("", "Error: Nexthop has invalid gateway.", 2)
                self.routes[dst] = via
            case ("ip", "-4", "route", "del", dst, *_):
                del self.routes[dst]
        return _done("")


def _done(stdout: str, stderr: str = "", code: int = 0) -> Completed:
    return Completed(returncode=code, stdout=stdout.encode(), stderr=stderr.encode())


def test_routes_follow_the_nodes() -> None:
    async def check() -> None:
        server, host = ApiServer(), Host()
        server.put(OWN)
        server.put(OTHER)
        followed = FollowedObjects(DirectApi(server), Node, Selection())
        followed.start()
        routes = PodRoutes(followed, "a", host)  # type: ignore[arg-type] # only `run` is used
        running = asyncio.create_task(routes.run())
        try:
            await asyncio.sleep(1)
            assert host.routes == {"10.244.1.0/24": "10.0.0.2"}
            host.unreachable.add("10.0.0.4")
            server.put(node("d", "10.0.0.4", "10.244.3.0/24"))
            server.put(node("c", "10.0.0.3", "10.244.2.0/24"))
            server.remove(Node, "b")
            await settle()
            await asyncio.sleep(1)
            assert host.routes == {"10.244.2.0/24": "10.0.0.3"}  # one that fails holds up no other
            host.unreachable.clear()
            host.routes.clear()  # another program has removed them
            await asyncio.sleep(61)
            assert host.routes == {"10.244.2.0/24": "10.0.0.3", "10.244.3.0/24": "10.0.0.4"}
        finally:
            running.cancel()
            await followed.close()

    run_virtual(check())
