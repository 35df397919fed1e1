"""Docker through CRI and the shim handler beside containerd, from the JSON of a run with --handlers. Pure."""

from __future__ import annotations

from collections.abc import Callable

from podwright.bench.render.tables import MIB
from podwright.bench.results import BenchReport

DOCKER, CONTAINERD, SHIM = "podwright-docker", "containerd", "podwright-shim"
ONE = {"concurrency": 1}
Quantity = Callable[[BenchReport, str], float | None]


def comparison(report: BenchReport) -> str:
    """Docker through CRI beside containerd, by what containerd 1.1 said of itself in 2018."""
    pods = report.options.pods
    rows: tuple[tuple[str, str, Quantity], ...] = (
        ("pod start, one at a time (ms)", "-20 % (latency)", lambda report, name: _median(report, name, "pod start")),
        ("CPU per pod start (ms)", "-68 % (CPU)", lambda report, name: _median(report, name, "CPU per pod start")),
        (f"daemons and monitors of {pods} pods, PSS (MiB)", "-12 % (memory)", _memory_mib),
    )
    lines = [
        f"|  | {DOCKER} | {CONTAINERD} | containerd's difference | containerd 1.1's claim |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for label, claim, quantity in rows:
        docker, containerd = quantity(report, DOCKER), quantity(report, CONTAINERD)
        cells = (_shown(docker), _shown(containerd), _difference(docker, containerd), claim)
        lines.append(f"| {label} | {' | '.join(cells)} |")
    shim, peer = _median(report, SHIM, "pod start"), _median(report, CONTAINERD, "pod start")
    faster = f"{peer / shim:.1f} times as fast as" if shim and peer else "not compared with"
    text = f"A pod on Podwright's shim handler starts {faster} one on containerd, with the same shim and runc."
    return "\n".join([*lines, "", text, ""])


def _median(report: BenchReport, target: str, name: str) -> float | None:
    found = report.find("start", name, target, **ONE)
    return found.summary.p50 if found and found.summary else None


def _memory_mib(report: BenchReport, target: str) -> float | None:
    idle = report.find("start", "daemon PSS", target, pods=0)
    per_pod = report.find("start", "monitors' PSS per pod", target, **ONE)
    if not (idle and idle.summary and per_pod and per_pod.summary):
        return None
    return (idle.summary.p50 + report.options.pods * per_pod.summary.p50) / MIB


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _difference(docker: float | None, containerd: float | None) -> str:
    return f"{100 * (containerd - docker) / docker:+.0f} %" if docker and containerd is not None else "-"
