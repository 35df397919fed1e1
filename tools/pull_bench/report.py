"""The results as a table and as JSON. Pure."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence

from tools.pull_bench.measure import Sample

MIB = 1 << 20
Results = Mapping[str, Mapping[str, Sequence[Sample]]]  # by case, by puller
HEAD = f"{'':14} {'wall s':>7} {'best':>7} {'CPU s':>7} {'daemon MiB':>11} {'children':>9}"


def table(results: Results, ours: str) -> str:
    """Medians and best times of each case, and how many times as fast as the best peer `ours` is."""
    lines = []
    for case, by_puller in results.items():
        lines += [f"\n{case}", HEAD]
        lines += [_row(name, samples) for name, samples in by_puller.items() if samples]
        peers = [_wall_s(samples) for name, samples in by_puller.items() if name != ours and samples]
        if peers and by_puller.get(ours):
            lines.append(f"{ours} takes 1/{min(peers) / _wall_s(by_puller[ours]):.2f} of the best peer's time")
    return "\n".join(lines)


def _row(name: str, samples: Sequence[Sample]) -> str:
    best_s = min(sample.wall_s for sample in samples)
    cpu_s = statistics.median(sample.cpu_s for sample in samples)
    daemon = max(sample.daemon_bytes for sample in samples) / MIB
    children = max(sample.children_bytes for sample in samples) / MIB
    return f"{name:14} {_wall_s(samples):7.2f} {best_s:7.2f} {cpu_s:7.2f} {daemon:11.0f} {children:9.0f}"


def _wall_s(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.wall_s for sample in samples)


def as_json(results: Results) -> str:
    """Every sample."""
    return json.dumps(
        {
            case: {name: [dataclasses.asdict(sample) for sample in samples] for name, samples in by_puller.items()}
            for case, by_puller in results.items()
        },
        indent=1,
    )
