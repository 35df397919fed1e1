"""Whole bench runs against real servers; nothing stays behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podwright.bench.options import BenchOptions, TargetOptions, parse_targets
from podwright.bench.results import BenchReport, as_json, from_json
from podwright.bench.run import run_bench
from podwright.bench.suites import port_forward
from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, NotFound, PodwrightError, Unavailable
from tests.fixtures import FreshPodwright
from tests.harness import docker
from tests.harness.docker import DockerEngine
from tests.harness.processes import ended
from tests.harness.scratch import Scratch
from tests.harness.server import CriServer
from tools.bench.images import push_series
from tools.bench.restarts import serve_restarts
from tools.images import Entry, image_of, layer_of
from tools.registry import Registry

TIMEOUT_S = patient(120.0)
CRI_CALLS = {"RunPodSandbox", "CreateContainer", "StartContainer", "StopPodSandbox", "RemovePodSandbox"}
# What each suite has to give, whatever the target.
EXPECTED = {
    "start": {
        *CRI_CALLS,
        "pod start",
        "teardown",
        "pods/s",
        "CPU per pod start",
        "monitors' PSS per pod",
        "daemon PSS",
    },
    "density": {
        *CRI_CALLS,
        "pod start",
        "ExecSync",
        "teardown",
        "container start",
        "daemon PSS",
        "monitors' PSS per pod",
    },
    "relist": {"relist", "CPU of a relist each second"},
    "exec": {"ExecSync", "ExecSync/s"},
    "pull": {"pull", "remove image", "pull of a known layer", "list images"},
    "lifecycle": {*CRI_CALLS, "pod start", "teardown", "pods/s", "pods ended/s"},
}
STREAMS = {
    *("exec stream", "exec stream/s", "added by port-forward", "port-forward, from the pod"),
    *("HTTP request, port-forward", "HTTP request, direct", "direct, from the pod"),
}
TINY: dict[str, Any] = {
    "rounds": 1, "long_rounds": 1,
    "warmup": 1, "pods": 2, "concurrencies": (1, 2), "steps": (1, 3), "containers": 2, "relists": 1,
    "execs": 3, "bursts": (2,), "pulls": 1, "image_steps": (1, 2), "settle_s": 0.0,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _little_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_forward, "BULK_BYTES", 4 << 20)  # of what the pod sends


@pytest.fixture(scope="module")
def images(registry: Registry) -> dict[str, Any]:
    """The options that name images, which are in the registry."""
    registry.push("bench/tiny:1", image_of([layer_of([Entry("a", 0o644, "file", b"bench")])], {}))
    push_series(registry, 2)
    return {
        "image": f"{registry.host}/busybox:1",
        "pull_images": (f"{registry.host}/bench/tiny:1",),
        "image_series": f"{registry.host}/bench/series",
    }


def target_of(peer: CriPeer, **fields: Any) -> TargetOptions:
    [target] = parse_targets([f"one={peer.endpoint}"], {"one": {"cgroup_parent": peer.cgroup_parent, **fields}})
    return target


async def bench_pods(peer: CriPeer) -> list[str]:
    """The sandboxes of any bench that are there now."""
    listed = await peer.client.call(peer.client.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    return [pod.id for pod in listed.items if pod.metadata.namespace == "podwright-bench"]


def check_complete(report: BenchReport, suite: str, names: set[str]) -> None:
    """Every measurement is there, with samples that make sense, and none failed."""
    assert report.errors == []
    found = [each for each in report.measurements if each.suite == suite]
    assert {each.name for each in found} == names
    for each in found:
        assert each.failures == 0
        assert each.samples, each
        if each.name != "added by port-forward":
            assert min(each.samples) >= 0, each
    assert from_json(as_json(report)) == report


@pytest.mark.root
@pytest.mark.parametrize("suites", [("start",), ("density", "relist"), ("exec",), ("pull",), ("lifecycle",)], ids=str)
async def test_every_suite_on_every_cri_server(
    cri_server: CriPeer, images: dict[str, Any], suites: tuple[str, ...]
) -> None:
    report = await run_bench(
        BenchOptions(suites=suites, **TINY, **images), [target_of(cri_server)], tell=lambda _: None
    )
    for suite in suites:
        check_complete(report, suite, EXPECTED[suite] | (STREAMS if suite == "exec" else set()))
    assert await bench_pods(cri_server) == []


@pytest.mark.root
async def test_relist_alone_and_beside_density_makes_its_pods_once(
    podwright_server: CriServer, images: dict[str, Any]
) -> None:
    async with podwright_server.client() as client:
        target = target_of(podwright_server.peer(client))
        for suites in (("relist",), ("density", "relist")):
            report = await run_bench(BenchOptions(suites=suites, **TINY, **images), [target], tell=lambda _: None)
            assert report.errors == []
            listed = [each.conditions for each in report.measurements if each.name == "relist"]
            assert listed == [{"pods": 1}, {"pods": 3}]
            ended = [
                each for each in report.measurements if each.conditions == {"all_of": 3} and each.name == "teardown"
            ]
            assert [len(each.samples) for each in ended] == [3]


@pytest.mark.root
async def test_what_a_report_says_of_the_target(
    cri_server: CriPeer, any_server: CriServer, busybox_image: str
) -> None:
    told: list[str] = []
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))
    options = BenchOptions(suites=("start",), image=busybox_image, **TINY)
    target = target_of(cri_server, files={"a.toml": "x"})
    report = await run_bench(options, [target], tell=told.append, clock=lambda: moment)
    assert report.date == "2026-01-02T02:04:05Z"
    [said] = report.targets
    assert (said.runtime_name, said.daemon_pid) == (cri_server.name, any_server.process.pid)
    assert said.files == {"a.toml": "x"}
    serial = report.find("start", "pod start", "one", concurrency=1)
    step = report.find("start", "StartContainer", "one", concurrency=1)
    assert serial
    assert step
    assert len(serial.samples) == 2
    assert min(serial.samples) > min(step.samples) > 0
    idle = report.find("start", "daemon PSS", "one", pods=0)
    assert idle
    assert min(idle.samples) > 2**20
    assert "start, round 1 of 1: one" in told


@pytest.mark.root
async def test_a_daemon_is_restarted_under_its_pods(
    fresh_podwright: FreshPodwright, images: dict[str, Any], tmp_path: Path
) -> None:
    server = fresh_podwright()
    restart = serve_restarts(server, tmp_path)
    before = server.process.pid
    options = BenchOptions(suites=("lifecycle",), **TINY, **images)
    async with server.client() as client:
        target = target_of(server.peer(client), restart=("/bin/sh", "-c", restart))
        report = await run_bench(options, [target], tell=lambda _: None)
    check_complete(report, "lifecycle", EXPECTED["lifecycle"] | {"daemon restart"})
    assert server.process.pid != before


@pytest.mark.root
async def test_a_restart_that_fails_is_a_failure(podwright_server: CriServer, images: dict[str, Any]) -> None:
    options = BenchOptions(suites=("lifecycle",), **TINY, **images)
    async with podwright_server.client() as client:
        target = target_of(podwright_server.peer(client), restart=("false",))
        report = await run_bench(options, [target], tell=lambda _: None)
    restart = report.find("lifecycle", "daemon restart", "one", pods=2)
    assert restart
    assert (restart.failures, restart.samples) == (1, [])
    assert "false ended with 1" in report.errors[0]


@pytest.fixture(scope="module")
def engine(scratch: Scratch) -> Iterator[DockerEngine]:
    """Debian's Docker."""
    with DockerEngine(scratch.part("docker", keep=True)) as server:
        server.start()
        yield server


@pytest.mark.root
@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not docker.is_installed(), reason="Docker is measured where it is installed (make bench does)")
async def test_docker_does_the_same_work(engine: DockerEngine, images: dict[str, Any]) -> None:
    [target] = parse_targets([f"one=docker+{engine.endpoint}"], {"one": {"cgroup_parent": engine.part.cgroup_parent}})
    options = BenchOptions(**TINY, **images)
    report = await run_bench(options, [target], tell=lambda _: None)
    for suite, names in EXPECTED.items():
        check_complete(report, suite, names)
    assert [gap for gap in report.gaps if "Docker has no port-forward" in gap]


@pytest.mark.root
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interrupted_bench_takes_its_pods_away(
    cri_server: CriPeer, busybox_image: str, number: signal.Signals, code: int
) -> None:
    arguments = (
        "-e",
        f"one={cri_server.endpoint}",
        "--image",
        busybox_image,
        "-n",
        "200",
        "-c",
        "2",
        "--settle",
        "0",
        "--warmup",
        "0",
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "podwright", "bench", *arguments),
        *("--cgroup-parent", f"one={cri_server.cgroup_parent}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with ended(process, within_s=TIMEOUT_S):
        while len(await bench_pods(cri_server)) < 3:  # noqa: ASYNC110 # another process makes them
            await asyncio.sleep(0.05)
        process.send_signal(number)
        out, err = await process.communicate()
    assert (process.returncode, out) == (code, b"")
    assert b"Traceback" not in err
    assert await bench_pods(cri_server) == []


@pytest.mark.root
async def test_an_image_that_is_nowhere(cri_server: CriPeer, busybox_image: str) -> None:
    options = BenchOptions(suites=("start",), image=busybox_image.rsplit(":", 1)[0] + ":nosuchtag")
    with pytest.raises(PodwrightError):
        await run_bench(options, [target_of(cri_server)], tell=lambda _: None)
    assert await bench_pods(cri_server) == []


@pytest.mark.root
async def test_a_container_that_cannot_start_is_a_failure_and_takes_its_pod_with_it(
    cri_server: CriPeer, busybox_image: str
) -> None:
    tiny = msgspec.structs.replace(BenchOptions(suites=("start",), image=busybox_image, **TINY), warmup=0)
    target = target_of(cri_server, handler="nosuch")
    report = await run_bench(tiny, [target], tell=lambda _: None)
    assert sum(each.failures for each in report.measurements if each.name == "pod start") == 6
    assert report.errors
    assert await bench_pods(cri_server) == []


async def test_no_daemon(tmp_path: Path) -> None:
    target = TargetOptions(name="one", endpoint=f"unix://{tmp_path}/s")
    with pytest.raises((Unavailable, NotFound)):
        await run_bench(BenchOptions(), [target], tell=lambda _: None, clock=lambda: datetime.now(UTC))
    assert os.listdir(tmp_path) == []


async def test_options_are_checked_first() -> None:
    with pytest.raises(InvalidArgument):
        await run_bench(BenchOptions(rounds=0), [], tell=lambda _: None)


@pytest.mark.root
async def test_the_command_line_writes_the_files_that_were_asked_for(
    podwright_server: CriServer, busybox_image: str, tmp_path: Path
) -> None:
    config = tmp_path / "a.toml"
    config.write_text("x = 1\n")
    amounts = ("--rounds", "1", "-n", "2", "-c", "1", "--settle", "0", "--warmup", "0", "--image", busybox_image)
    target = ("-e", f"one={podwright_server.endpoint}", "--config", f"one={config}")
    files = ("--json", str(tmp_path / "r.json"), "--html", str(tmp_path / "r.html"))
    code, out = await podwright("bench", *target, *amounts, *files)
    assert code == 0
    assert "pod start, 1 at once (ms)" in out
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["targets"][0]["files"] == {"a.toml": "x = 1\n"}
    assert "<svg" in (tmp_path / "r.html").read_text()
    code, again = await podwright("bench", "report", str(tmp_path / "r.json"))
    assert (code, again) == (0, out)
    code, table = await podwright("bench", "report", str(tmp_path / "r.json"), "--summary")
    assert table.startswith("|  | one |")


async def test_the_schema_can_be_printed() -> None:
    code, out = await podwright("bench", "schema")
    assert code == 0
    assert "BenchReport" in json.loads(out)["$defs"]


async def podwright(*arguments: str) -> tuple[int | None, str]:
    """Run the command line; its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "podwright", *arguments), stdout=asyncio.subprocess.PIPE
    )
    async with ended(process, within_s=TIMEOUT_S):
        out, _ = await process.communicate()
    return process.returncode, out.decode()
