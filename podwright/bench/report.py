"""The result of a bench run: as data, as JSON for machines, as a table for people."""

from __future__ import annotations

import msgspec

from podwright.bench.machine import Machine
from podwright.bench.options import BenchOptions
from podwright.bench.suites.pod_start import PodStartResult

FORMAT = 1
MIB = 1024 * 1024
PERCENTILES = ("p50", "p90", "p99")


class RuntimeVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What the endpoint's Version call said."""

    runtime_name: str
    runtime_version: str
    api_version: str


class EndpointReport(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint. `daemon_idle_pss_bytes` was taken before the first pod; None where /proc did not tell."""

    endpoint: str
    version: RuntimeVersion
    daemon_pid: int | None
    daemon_idle_pss_bytes: int | None
    results: list[PodStartResult]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. `date` is RFC 3339, UTC, of the beginning; `format` counts up when fields change meaning."""

    format: int
    date: str
    podwright_version: str
    machine: Machine
    options: BenchOptions
    endpoints: list[EndpointReport]


def as_json(report: Report) -> str:
    """Indented JSON with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def as_text(report: Report) -> str:
    """One block per endpoint and concurrency."""
    machine = report.machine
    cpus = f"{machine.cpus} x {machine.cpu_model or 'CPU'}"
    memory = f"{machine.memory_bytes / MIB:.0f} MiB"
    lines = [f"{report.date}  {machine.system}, kernel {machine.kernel}, {cpus}, {memory}, load {machine.load_1min}"]
    for endpoint in report.endpoints:
        version = endpoint.version
        idle = _mebibytes(endpoint.daemon_idle_pss_bytes)
        lines += ["", f"{version.runtime_name} {version.runtime_version} at {endpoint.endpoint}; idle daemon {idle}"]
        for result in endpoint.results:
            lines += _block(result)
    return "\n".join(lines) + "\n"


def _block(result: PodStartResult) -> list[str]:
    head = (
        f"  {result.pods} pods, {result.concurrency} at once: {result.pods_per_s:.1f} pods/s; "
        f"per pod {_mebibytes(result.pss_per_pod_bytes)}; daemon then {_mebibytes(result.daemon_pss_bytes)}"
    )
    lines = [head, "    " + f"{'ms':<18}" + "".join(f"{name:>9}" for name in PERCENTILES)]
    for name, summary in result.latency_ms.items():
        cells = "".join(f"{getattr(summary, percentile):>9.1f}" for percentile in PERCENTILES)
        lines.append(f"    {name:<18}{cells}")
    return lines


def _mebibytes(count_bytes: int | None) -> str:
    return "unknown" if count_bytes is None else f"{count_bytes / MIB:.1f} MiB PSS"
