"""The suite `agent` with a stand-in for a node agent, on real servers; nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from podwright.bench.options import BenchOptions, TargetOptions, parse_targets
from podwright.bench.results import BenchReport, as_json, from_json
from podwright.bench.run import run_bench
from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition
from tests.bench.agents import stand_in
from tests.harness.processes import ended
from tests.harness.server import CriServer

TIMEOUT_S = patient(120.0)
AGENT = (sys.executable, stand_in.__file__, "{manifests}", "{endpoint}", "{port}", "{logs}", "{cgroup}")
TINY: dict[str, Any] = {
    "suites": ("agent",), "long_rounds": 1,
    "warmup": 1, "pods": 2, "agent_pods": (2, 3), "idle_s": 0.2, "settle_s": 0.0,
}  # fmt: skip
SERIAL = {
    *("manifest to container start", "manifest to running in /pods", "the runtime's own pod start"),
    *("added by the agent", "manifest removed to pod ended"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made; nothing else is in it."""
    path = tmp_path / "t"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


def target_of(peer: CriPeer, agent: tuple[str, ...]) -> TargetOptions:
    """The peer, with a node agent."""
    [target] = parse_targets([f"one={peer.endpoint}"], {"one": {"cgroup_parent": peer.cgroup_parent, "agent": agent}})
    return target


async def measured(peer: CriPeer, image: str, agent: tuple[str, ...]) -> BenchReport:
    """A small run."""
    return await run_bench(BenchOptions(image=image, **TINY), [target_of(peer, agent)], tell=lambda _: None)


async def check_nothing_left(peer: CriPeer, folder: Path) -> None:
    """No pods, no cgroups, no files; nobody runs the stand-in on this peer."""
    listed = await peer.client.call(peer.client.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    assert [pod.id for pod in listed.items if pod.metadata.namespace == "podwright-bench"] == []
    assert not list(Path("/sys/fs/cgroup").glob(f"*{peer.cgroup_parent}/podwright-bench-*"))
    assert list(folder.iterdir()) == []
    assert agents_of(peer) == []


def agents_of(peer: CriPeer) -> list[int]:
    """The processes of stand-ins that were started for this peer."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_text().split("\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if stand_in.__file__ in words and peer.endpoint in words:
            found.append(int(entry.name))
    return found


@pytest.mark.root
async def test_all_that_is_measured(cri_server: CriPeer, busybox_image: str, folder: Path) -> None:
    report = await measured(cri_server, busybox_image, AGENT)
    assert (report.errors, report.gaps) == ([], [])
    assert from_json(as_json(report)) == report
    for name in SERIAL:
        found = report.find("agent", name, "one")
        assert found, name
        assert len(found.samples) == 2
    growth = {(each.name, tuple(sorted(each.conditions.items()))) for each in report.measurements if each.conditions}
    first, second = (("at_once", 2),), (("at_once", 1), ("pods", 2))
    assert growth == {
        *((name, at) for at in (first, second) for name in ("all containers started", "all running in /pods")),
        *((name, at) for at in (first, second) for name in ("manifest to container start", "agent CPU per pod start")),
        ("the runtime's own start of all", first),
        *(("agent PSS", (("pods", pods),)) for pods in (0, 2, 3)),
        *(("idle agent CPU", (("pods", pods),)) for pods in (2, 3)),
        *(("all manifests removed to pods ended", (("at_once", count),)) for count in (1, 2)),
        ("agent killed to /pods right again", (("pods", 2),)),
    }
    check_sense(report)
    await check_nothing_left(cri_server, folder)


def check_sense(report: BenchReport) -> None:
    """A pod is seen after it has started, and started after its manifest appeared; the rest is positive."""
    for each in report.measurements:
        assert each.failures == 0
        if each.name not in {"added by the agent", "idle agent CPU", "agent CPU per pod start"}:
            assert min(each.samples) > 0, each
    started = report.find("agent", "manifest to container start", "one")
    seen = report.find("agent", "manifest to running in /pods", "one")
    assert started
    assert seen
    assert all(first < second for first, second in zip(started.samples, seen.samples, strict=True))
    [pss] = [each for each in report.measurements if each.name == "agent PSS" and each.conditions == {"pods": 3}]
    assert min(pss.samples) > 2**20


@pytest.mark.root
async def test_an_agent_that_replaces_its_pods_when_it_restarts_has_failed(
    cri_server: CriPeer, busybox_image: str, folder: Path
) -> None:
    report = await measured(cri_server, busybox_image, (*AGENT, "forget"))
    restart = report.find("agent", "agent killed to /pods right again", "one", pods=2)
    assert restart
    assert restart.failures == 1
    assert "2 of 2 containers were replaced" in report.errors[0]
    await check_nothing_left(cri_server, folder)


@pytest.mark.root
async def test_an_agent_that_ends_is_named_with_its_last_words(
    cri_server: CriPeer, busybox_image: str, folder: Path
) -> None:
    report = await measured(cri_server, busybox_image, ("ls", "/nonexistent/{port}"))
    assert len(report.errors) == 1
    assert "ls ended with 2 before an answer to /pods: " in report.errors[0]
    assert "cannot access '/nonexistent/" in report.errors[0]
    await check_nothing_left(cri_server, folder)


@pytest.mark.root
async def test_an_agent_that_is_not_installed_stops_the_run_at_once(
    cri_server: CriPeer, busybox_image: str, folder: Path
) -> None:
    with pytest.raises(FailedPrecondition, match="no-such-agent is not on the PATH"):
        await measured(cri_server, busybox_image, ("no-such-agent",))


@pytest.mark.root
async def test_a_target_without_an_agent_is_a_gap(
    podwright_server: CriServer, busybox_image: str, folder: Path
) -> None:
    async with podwright_server.client() as client:
        report = await measured(podwright_server.peer(client), busybox_image, ())
    assert report.gaps == ["agent, one: no node agent was given (--agent)"]
    assert (report.measurements, report.errors) == ([], [])


@pytest.mark.root
async def test_an_interrupted_run_takes_the_agent_and_its_pods_away(
    cri_server: CriPeer, busybox_image: str, folder: Path
) -> None:
    agent = " ".join(AGENT)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "podwright", "bench", "--suite", "agent", "-e", f"one={cri_server.endpoint}"),
        *("--cgroup-parent", f"one={cri_server.cgroup_parent}", "--agent", f"one={agent}", "--image", busybox_image),
        *("--settle", "0", "--pods", "2", "--agent-pods", "2", "--idle", "600", "--warmup", "1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    async with ended(process, within_s=TIMEOUT_S):
        while not agents_of(cri_server) or not await static_pods(cri_server):  # noqa: ASYNC110 # another process
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in err
    await check_nothing_left(cri_server, folder)


async def static_pods(peer: CriPeer) -> int:
    """How many pods of manifests there are."""
    listed = await peer.client.call(peer.client.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    return sum("podwright.bench.pod" in pod.labels for pod in listed.items)
