"""`podwright stats`, on both servers; and CPU use where a runtime does not tell a rate."""

from __future__ import annotations

import pytest

from podwright.cli.commands.stats import cpu_percent
from podwright.cri.v1 import api_pb2 as api
from tests.cli.conftest import Cli, DemoPod


def _cpu(timestamp: int, used_ns: int, nano_cores: int | None = None) -> api.CpuUsage:
    rate = None if nano_cores is None else api.UInt64Value(value=nano_cores)
    used = api.UInt64Value(value=used_ns)
    return api.CpuUsage(timestamp=timestamp, usage_core_nano_seconds=used, usage_nano_cores=rate)


@pytest.mark.parametrize(
    ("before", "now", "percent"),
    [
        (None, _cpu(10, 5), "-"),
        (_cpu(10, 5), _cpu(10, 5), "-"),
        (_cpu(0, 0), _cpu(1000, 250), "25.0"),
        (_cpu(0, 500), _cpu(1000, 250), "0.0"),
        (_cpu(0, 0), _cpu(1000, 250, nano_cores=1_500_000_000), "150.0"),
        (None, _cpu(1000, 250, nano_cores=0), "0.0"),
    ],
)
def test_cpu_percent(before: api.CpuUsage | None, now: api.CpuUsage, percent: str) -> None:
    assert cpu_percent(before, now) == percent


@pytest.mark.root
async def test_containers(cli: Cli, demo_pod: DemoPod) -> None:
    heading, row = (await cli("stats", "-p", demo_pod.name)).out.splitlines()
    assert heading.split()[:3] == ["CONTAINER", "NAME", "POD"]
    cells = row.split()
    assert cells[:3] == [demo_pod.container_id[:13], "main", demo_pod.name]
    assert float(cells[3]) >= 0
    assert cells[4].endswith("B")
    listed = (await cli("stats", "-o", "json", "-p", demo_pod.sandbox_id)).json()["stats"]
    assert [stats["attributes"]["id"] for stats in listed] == [demo_pod.container_id]
    assert (await cli("stats", "-l", "app=other")).out.splitlines()[1:] == []


@pytest.mark.root
async def test_pods(cli: Cli, demo_pod: DemoPod) -> None:
    heading, row = (await cli("stats", "--pods", "-p", demo_pod.name)).out.splitlines()
    assert heading.split()[:3] == ["POD", "ID", "NAME"]
    assert row.split()[:3] == [demo_pod.sandbox_id[:13], demo_pod.name, "cli"]
    listed = (await cli("stats", "--pods", "-o", "json", "-p", demo_pod.sandbox_id)).json()["stats"]
    assert [stats["attributes"]["id"] for stats in listed] == [demo_pod.sandbox_id]
