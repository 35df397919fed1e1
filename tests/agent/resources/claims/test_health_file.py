"""`dra_health_state` as a kubelet writes it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.resources.claims.health import HealthReport, KnownHealth
from podwright.agent.resources.claims.health_file import decode, encode
from podwright.errors import FailedPrecondition

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GO = b"""{"gpu.example.com":{"Devices":{"pool/gpu-0":{"PoolName":"pool","DeviceName":"gpu-0","Health":"Unhealthy",\
"LastUpdated":"2026-01-02T04:04:00.123456789+01:00","HealthCheckTimeout":0,"Message":"hot"}}},"gone":{"Devices":null}}"""

reports = st.builds(
    HealthReport,
    place=st.tuples(st.text("ab/", min_size=1), st.text("cd", min_size=1)),
    health=st.sampled_from(["Healthy", "Unhealthy", "Unknown"]),
    message=st.text(max_size=20),
    timeout_s=st.integers(1, 600).map(float),
)


def test_what_a_kubelet_has_written() -> None:
    found = decode(GO.replace(b"\\\n", b""), NOW)
    [known] = found["gpu.example.com"]
    assert known.report == HealthReport(place=("pool", "gpu-0"), health="Unhealthy", message="hot", timeout_s=30.0)
    assert known.age_s == pytest.approx(4.877, abs=0.001)
    assert found["gone"] == []


@given(st.dictionaries(st.text("xy", min_size=1), st.lists(st.tuples(reports, st.integers(0, 1000)), max_size=3)))
def test_what_is_written_is_read_again(drivers: dict[str, list[tuple[HealthReport, int]]]) -> None:
    known = {
        name: list({report.place: KnownHealth(report=report, age_s=float(age)) for report, age in found}.values())
        for name, found in drivers.items()
    }
    again = decode(encode(known, NOW), NOW)
    places = {name: {"/".join(each.report.place): each for each in found} for name, found in known.items()}
    assert {name: {"/".join(each.report.place): each for each in found} for name, found in again.items()} == places


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"x": 1}', b'{"x": {"Devices": {"a": {}}}}'])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(FailedPrecondition, match="dra_health_state cannot be read"):
        decode(content, NOW)
