"""A whole bench run against a real CRI server; nothing stays behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from podwright.bench.options import BenchOptions
from podwright.bench.report import as_json, as_text
from podwright.bench.run import run_bench
from podwright.conformance.peer import CriPeer
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import NotFound, PodwrightError, Unavailable
from tests.harness.server import CriServer

CALLS = {
    *("RunPodSandbox", "CreateContainer", "StartContainer", "start"),
    *("ExecSync", "StopPodSandbox", "RemovePodSandbox", "teardown"),
}
TIMEOUT_S = 60.0


def options_for(peer: CriPeer, image: str) -> BenchOptions:
    return BenchOptions(
        endpoints=(peer.endpoint,),
        pods=3,
        concurrencies=(1, 2),
        image=image,
        warmup=1,
        cgroup_parent=peer.cgroup_parent,
    )


async def bench_pods(peer: CriPeer) -> list[str]:
    """The sandboxes of any bench that are there now."""
    listed = await peer.client.call(peer.client.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    return [pod.id for pod in listed.items if pod.metadata.namespace == "podwright-bench"]


@pytest.mark.root
async def test_every_number_is_there_and_nothing_stays(
    cri_server: CriPeer, any_server: CriServer, busybox_image: str
) -> None:
    told: list[str] = []
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))
    report = await run_bench(options_for(cri_server, busybox_image), tell=told.append, clock=lambda: moment)
    document = json.loads(as_json(report))
    assert document["date"] == "2026-01-02T02:04:05Z"
    assert document["options"]["pods"] == 3
    [endpoint] = document["endpoints"]
    assert endpoint["version"]["runtime_name"] == cri_server.name
    assert endpoint["daemon_pid"] == any_server.process.pid
    assert endpoint["daemon_idle_pss_bytes"] > 2**20
    assert [result["concurrency"] for result in endpoint["results"]] == [1, 2]
    for result in endpoint["results"]:
        assert set(result["latency_ms"]) == CALLS
        assert {summary["count"] for summary in result["latency_ms"].values()} == {3}
        assert result["latency_ms"]["start"]["p50"] > result["latency_ms"]["StartContainer"]["p50"] > 0
        assert result["pods_per_s"] > 0
        assert result["pss_per_pod_bytes"] > 0
    assert "pods/s" in as_text(report)
    assert any("warm up" in line for line in told)
    assert await bench_pods(cri_server) == []


@pytest.mark.root
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interrupted_bench_takes_its_pods_away(
    cri_server: CriPeer, busybox_image: str, number: signal.Signals, code: int
) -> None:
    arguments = ("-e", cri_server.endpoint, "--image", busybox_image, "-n", "200", "-c", "2", "--warmup", "0")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "podwright", "bench", *arguments),
        *("--cgroup-parent", cri_server.cgroup_parent),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while len(await bench_pods(cri_server)) < 3:  # noqa: ASYNC110 # another process makes them
                await asyncio.sleep(0.05)
            process.send_signal(number)
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, out) == (code, b"")
    assert b"Traceback" not in err
    assert await bench_pods(cri_server) == []


@pytest.mark.root
async def test_an_image_that_is_nowhere(cri_server: CriPeer, busybox_image: str) -> None:
    options = options_for(cri_server, busybox_image.rsplit(":", 1)[0] + ":nosuchtag")
    with pytest.raises(PodwrightError):
        await run_bench(options, tell=lambda _: None)
    assert await bench_pods(cri_server) == []


@pytest.mark.root
async def test_a_container_that_cannot_start_takes_its_pod_with_it(
    cri_server: CriPeer, busybox_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("podwright.bench.pods.COMMAND", ("/nonexistent",))
    with pytest.raises(PodwrightError):
        await run_bench(options_for(cri_server, busybox_image), tell=lambda _: None)
    assert await bench_pods(cri_server) == []


async def test_no_daemon(tmp_path: Path) -> None:
    with pytest.raises((Unavailable, NotFound)):
        await run_bench(BenchOptions(endpoints=(f"unix://{tmp_path}/s",)), tell=lambda _: None, clock=now)
    assert os.listdir(tmp_path) == []


def now() -> datetime:
    return datetime.now(UTC)
