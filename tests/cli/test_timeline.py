"""`podwright timeline`: what took how long, on a real daemon; and its lines, which are pure."""

from __future__ import annotations

import pytest

from podwright.api.v1 import timeline_pb2 as api
from podwright.cli.commands.timeline import bar, lines
from podwright.conformance.peer import CriPeer
from tests.cli.conftest import Cli, DemoPod

MS = 1_000_000


@pytest.mark.root
async def test_a_pod(cli: Cli, cri_server: CriPeer, demo_pod: DemoPod) -> None:
    done = await cli("timeline", demo_pod.sandbox_id[:12])
    if cri_server.name != "podwright":
        assert done.code == 1
        assert "it needs podwright serve" in done.err
        return
    calls = [line.split() for line in done.out.splitlines() if line[0].isdigit()]
    assert [words[2] for words in calls] == ["RunPodSandbox", "CreateContainer", "StartContainer"]
    assert [words[5] for words in calls[:2]] == [f"cli/{demo_pod.name}", f"cli/{demo_pod.name}/main"]
    assert [words[-1] for words in calls] == [demo_pod.sandbox_id[:13], *[demo_pod.container_id[:13]] * 2]
    for step in ("network", "root filesystem", "crun create"):
        assert step in done.out
    by_container = await cli("timeline", "-o", "json", demo_pod.container_id)
    assert [call["step"]["name"] for call in by_container.json()["calls"]] == [words[2] for words in calls]
    for name in (demo_pod.name, f"cli/{demo_pod.name}", f"{demo_pod.name}/main"):
        assert (await cli("timeline", "-o", "json", name)).json() == by_container.json()
    none = await cli("timeline", "no-such-pod")
    assert none.code == 1
    assert "the runtime has no calls about a pod, container or image 'no-such-pod'" in none.err
    assert "PullImage" in (await cli("timeline", "-n", "500", demo_pod.image)).out
    assert len((await cli("timeline", "-n", "1", "-o", "json")).json()["calls"]) == 1
    assert (await cli("timeline", "--running")).out == ""
    assert (await cli("timeline", "--slower", "100000000")).out == ""


def test_lines() -> None:
    inner = api.Step(name="inner", offset_ns=3 * MS, duration_ns=1 * MS, failure="it broke")
    steps = [
        api.Step(name="short", duration_ns=MS // 10),
        api.Step(name="network", offset_ns=2 * MS, duration_ns=6 * MS, steps=[inner]),
        api.Step(name="wait", offset_ns=8 * MS, duration_ns=8 * MS, under_way=True),
    ]
    call = api.Call(
        ids=["ab" * 32, "docker.io/library/busybox:1"],
        began_at=1_700_000_000_123_456_789,
        step=api.Step(name="RunPodSandbox", duration_ns=16 * MS, under_way=True, steps=steps),
    )
    first, *rest = lines(call, everything=False)
    assert first[19:] == ".123  RunPodSandbox  16.0 ms  " + "ab" * 6 + "a docker.io/library/busybox:1  (under way)"
    assert rest == [
        "       2.0       6.0  ····████████████················  network",
        "       3.0       1.0  ······██························    inner  failed: it broke",
        "       8.0       8.0  ················████████████████  wait  (under way)",
    ]
    assert [line.split()[-1] for line in lines(call, everything=True)][1] == "short"


@pytest.mark.parametrize(
    ("offset", "duration", "drawn"),
    [(0, 32, "█" * 32), (0, 0, "█" + "·" * 31), (31, 1, "·" * 31 + "█"), (40, 9, "·" * 31 + "█"), (0, 99, "█" * 32)],
)
def test_bars_stay_in_their_column(offset: int, duration: int, drawn: str) -> None:
    assert bar(api.Step(offset_ns=offset, duration_ns=duration), 32) == drawn


def test_a_call_that_took_no_time() -> None:
    assert len(bar(api.Step(), 0)) == 32
