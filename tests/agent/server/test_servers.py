"""The agent's own answers: health, pods, descriptions."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from podwright.agent.events.log import EventLog
from podwright.agent.pods.registry import PodRegistry
from podwright.agent.server.api.healthz import HealthPaths
from podwright.agent.server.api.pods import PodPaths
from podwright.agent.server.api.request_counts import RequestCounts
from podwright.agent.server.api.table import disabled_routes, health_routes
from podwright.agent.server.early_ports import EarlyPorts
from podwright.agent.server.health import Health, loop_check
from podwright.agent.server.http.listener import Limits
from podwright.agent.server.http.routing import HttpRoute
from podwright.agent.server.servers import Descriptions, Servers
from podwright.agent.server.view import View
from podwright.agent.workers.pool import PodWorkers
from podwright.agent.workers.queue import WorkQueue
from podwright.agent.workers.worker import WorkerPorts
from podwright.errors import FailedPrecondition
from podwright.k8s.objects import PodStatus
from podwright.tasks import Tasks
from tests.agent.fakes.pods import pod
from tests.agent.fakes.time import VirtualClock
from tests.agent.workers.test_pool import Looks, Syncer


class Scene:
    """Servers over one pod."""

    def __init__(self, directory: Path) -> None:
        clock = VirtualClock()
        self.registry, self.events = PodRegistry(), EventLog(clock, "node1")
        self.statuses: dict[str, PodStatus] = {}
        self.problems: dict[str, str] = {"ping": "", "syncloop": ""}
        ports = WorkerPorts(
            syncer=Syncer(),
            looks=Looks(clock),
            queue=WorkQueue(),
            events=self.events,
            clock=clock,
            tasks=Tasks(),
            pod_gone=lambda _: None,
        )
        self.workers = PodWorkers(ports)
        view = View(
            registry=self.registry,
            workers=self.workers,
            status_of=self.statuses.get,
            events=self.events,
            problem=lambda: "",
        )
        checks = Health({name: lambda name=name: self.problems[name] for name in self.problems})  # type: ignore[misc]
        self.health = health_routes(HealthPaths(checks))
        pods = HttpRoute(pattern="/pods", handler=PodPaths(view, list).wanted)
        self.routes = [*self.health, pods, *Descriptions(view).routes()]
        self.servers = Servers(RequestCounts(), Limits(), EarlyPorts())
        self.socket = str(directory / "run" / "agent.sock")


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path)
    made.servers.serve_socket(made.socket, made.routes)
    yield made
    await made.servers.close()
    assert not os.path.exists(made.socket)


async def get(scene: Scene, path: str) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(scene.socket)) as session,
        session.get(f"http://agent{path}") as answer,
    ):
        return answer.status, await answer.read()


async def test_the_socket_is_root_s(scene: Scene) -> None:
    assert stat.S_IMODE(os.stat(scene.socket).st_mode) == 0o600


async def test_health(scene: Scene) -> None:
    assert await get(scene, "/healthz") == (200, b"ok")
    scene.problems["syncloop"] = "it stands"
    status, text = await get(scene, "/healthz")
    assert (status, text) == (500, b"[+]ping ok\n[-]syncloop failed: reason withheld\nhealthz check failed\n")
    verbose = b"[+]ping ok\n[+]syncloop excluded: ok\nhealthz check passed\n"
    assert await get(scene, "/healthz?verbose&exclude=syncloop") == (200, verbose)
    assert b'no matches for "other"' in (await get(scene, "/healthz?exclude=other"))[1]
    assert await get(scene, "/healthz/ping") == (200, b"ok")
    assert await get(scene, "/healthz/syncloop") == (500, b"internal server error: it stands\n")
    assert (await get(scene, "/healthz/other"))[0] == 404


async def test_pods_have_the_agent_s_status(scene: Scene) -> None:
    scene.registry.put(pod())
    scene.statuses["uid-web"] = PodStatus(phase="Running", pod_ip="10.0.0.7")
    status, body = await get(scene, "/pods")
    document = json.loads(body)
    assert status == 200
    assert document["kind"] == "PodList"
    (item,) = document["items"]
    assert item["metadata"]["name"] == "web"
    assert item["status"] == {"phase": "Running", "podIP": "10.0.0.7"}


async def test_a_description(scene: Scene) -> None:
    scene.registry.put(pod())
    scene.events.pod(pod(), "Warning", "BackOff", "it crashes", container="main")
    scene.events.pod(pod(), "Warning", "BackOff", "it crashes", container="main")
    status, body = await get(scene, "/describe/default/we")
    document = json.loads(body)
    assert status == 200
    assert document["pod"]["metadata"]["name"] == "web"
    (event,) = document["events"]
    assert (event["reason"], event["count"], event["fieldPath"]) == ("BackOff", 2, "spec.containers{main}")


async def test_a_description_of_nothing(scene: Scene) -> None:
    scene.registry.put(pod("web-1"))
    scene.registry.put(pod("web-2"))
    status, body = await get(scene, "/describe/default/web")
    assert status == 404
    assert "2 pods begin with" in json.loads(body)["error"]
    status, body = await get(scene, "/describe/default/db")
    assert json.loads(body)["hint"] == "pods in default: web-1, web-2"


async def test_health_alone_on_loopback(scene: Scene) -> None:
    port = scene.servers.serve_plain("127.0.0.1", 0, scene.health)
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert await answer.read() == b"ok"
        async with session.get(f"http://127.0.0.1:{port}/pods") as answer:
            assert (answer.status, await answer.text()) == (404, "404: Page Not Found")
        async with session.post(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200


async def test_the_reader_says_what_it_has_not(scene: Scene) -> None:
    port = scene.servers.serve_plain("127.0.0.1", 0, [*scene.routes, *disabled_routes()])
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/pods") as answer:
            assert answer.status == 200
        async with session.post(f"http://127.0.0.1:{port}/pods") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET")
        async with session.post(f"http://127.0.0.1:{port}/exec/default/web/main") as answer:
            assert (answer.status, await answer.text()) == (405, "Debug endpoints are disabled.\n")


async def test_a_port_that_is_taken_is_named(scene: Scene) -> None:
    port = scene.servers.serve_plain("127.0.0.1", 0, scene.health)
    with pytest.raises(FailedPrecondition, match=f"127.0.0.1:{port}"):
        scene.servers.serve_plain("127.0.0.1", port, scene.health)


def test_a_loop_that_stands_is_not_well() -> None:
    silent = 0.0
    check = loop_check(lambda: silent, 60.0)
    silent = 299
    assert check() == ""
    silent = 301
    assert check() == "the sync loop was last entered 301 s ago"


async def test_a_socket_that_is_taken(scene: Scene, tmp_path: Path) -> None:
    other = Scene(tmp_path)
    with pytest.raises(FailedPrecondition, match="another agent listens on"):
        other.servers.serve_socket(scene.socket, [])
    await other.servers.close()
    assert stat.S_ISSOCK(os.stat(scene.socket).st_mode)


async def test_a_socket_that_was_left_is_replaced(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    os.makedirs(os.path.dirname(scene.socket))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(scene.socket)
    scene.servers.serve_socket(scene.socket, [])
    await scene.servers.close()


async def test_a_file_in_the_socket_s_place_is_kept(tmp_path: Path) -> None:
    scene, path = Scene(tmp_path), tmp_path / "precious"
    path.write_text("content")
    with pytest.raises(FailedPrecondition, match="exists and is not a socket"):
        scene.servers.serve_socket(str(path), [])
    await scene.servers.close()
    assert path.read_text() == "content"
