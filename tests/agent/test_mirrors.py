"""Mirrors of static pods at an API server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.mirrors import ApiMirrors
from podwright.agent.node.current import CurrentNode
from podwright.errors import Unavailable
from podwright.k8s.objects import Node, ObjectMeta, Pod
from tests.agent.fakes.direct import DirectApi
from tests.agent.fakes.pods import pod
from tests.harness.apiserver.server import ApiServer


class World:
    """A server with a node, and a static pod."""

    def __init__(self, *, is_registered: bool = True) -> None:
        self.server = ApiServer()
        self.api = DirectApi(self.server)
        self.node = CurrentNode(Node(metadata=ObjectMeta(name="node-a")))
        if is_registered:
            self.node.take(self.server.put(self.node.node))
        self.mirrors = ApiMirrors(self.api, self.node)

    @property
    def shown(self) -> Pod | None:
        found: Pod | None = self.server.get(Pod, "web", "default")
        return found


def static(version: str = "hash-1") -> Pod:
    made = pod(source="file", uid=version)
    annotations = {**made.metadata.annotations, "kubernetes.io/config.hash": version}
    return replace(made, metadata=replace(made.metadata, annotations=annotations))


def run(work: Any) -> None:
    asyncio.run(work)


def test_a_mirror_is_made_and_owned_by_the_node() -> None:
    world = World()
    run(world.mirrors.reconcile(static(), None))
    shown = world.shown
    assert shown is not None
    assert shown.metadata.annotations["kubernetes.io/config.mirror"] == "hash-1"
    assert shown.metadata.owner_references[0].uid == world.node.node.metadata.uid
    assert shown.metadata.uid != "hash-1"


def test_one_of_another_version_is_made_anew() -> None:
    world = World()
    run(world.mirrors.reconcile(static(), None))
    first = world.shown
    assert first is not None
    run(world.mirrors.reconcile(static("hash-2"), first))
    shown = world.shown
    assert shown is not None
    assert shown.metadata.annotations["kubernetes.io/config.mirror"] == "hash-2"
    assert shown.metadata.uid != first.metadata.uid


def test_one_that_is_right_is_left_alone() -> None:
    world = World()
    run(world.mirrors.reconcile(static(), None))
    world.api.requests.clear()
    run(world.mirrors.reconcile(static(), world.shown))
    assert world.api.requests == []
    run(world.mirrors.reconcile(static(), None))  # the watch has not brought it yet
    assert world.api.requests == ["create pods", "get pods web"]


def test_without_its_node_there_is_none() -> None:
    world = World(is_registered=False)
    run(world.mirrors.reconcile(static(), None))
    assert world.api.requests == []


def test_a_server_that_fails_does_not_stop_the_pod() -> None:
    world = World()
    world.api.fail = True
    run(world.mirrors.reconcile(static(), None))
    with pytest.raises(Unavailable):
        run(world.mirrors.remove([static()]))


def test_only_the_mirror_itself_is_removed() -> None:
    world = World()
    run(world.mirrors.reconcile(static(), None))
    mirror = world.shown
    assert mirror is not None
    world.server.remove(Pod, "web", "default")
    world.server.put(replace(pod(), metadata=replace(pod().metadata, uid="")))
    run(world.mirrors.remove([mirror]))
    assert world.shown is not None
    run(world.mirrors.remove([world.shown]))
    assert world.shown is None
