"""The command line of the pull bench, and the order of its rounds: A B C, A B C, ..."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.harness.scratch import Scratch
from tools.pull_bench import report
from tools.pull_bench.content import build
from tools.pull_bench.disk import private_disk
from tools.pull_bench.measure import Sample, measure
from tools.pull_bench.pullers import PULLERS, PodwrightPuller, Puller
from tools.registry import Registry

FILLED = "filled"  # marks a registry whose images are all there
# What is timed, after what was pulled before.
CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "one": ("debian:1", ()),
    "twelve": ("debian:12", ()),
    "small": ("small:1", ()),
    "shared": ("debian:next", ("debian:12",)),
}


def main() -> int:
    """Start everything, run the rounds, print."""
    arguments = _arguments()
    with contextlib.ExitStack() as stack:
        tempfile.tempdir = str(stack.enter_context(private_disk()))
        scratch = Scratch()
        stack.callback(scratch.close)
        root = arguments.registry or scratch.part("registry").directory
        root.mkdir(parents=True, exist_ok=True)
        registry = stack.enter_context(Registry(root))
        _fill(registry)
        wanted = [kind for kind in PULLERS if kind.name in arguments.only or not arguments.only]
        for kind in wanted:
            if not kind.is_here():
                print(f"{kind.name} is left out: it needs {', '.join(kind.needs)}", file=sys.stderr)
        pullers = [stack.enter_context(kind(scratch, registry.url)) for kind in wanted if kind.is_here()]
        results = _rounds(pullers, registry.host, arguments.case or list(CASES), arguments.rounds)
    print(report.table(results, PodwrightPuller.name))
    if arguments.json:
        arguments.json.write_text(report.as_json(results))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.pull_bench", description="pull and unpack, side by side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", default=[], choices=[kind.name for kind in PULLERS])
    parser.add_argument("--case", action="append", default=[], choices=list(CASES))
    parser.add_argument("--registry", type=Path, help="keep the registry's storage here, and use it again")
    parser.add_argument("--json", type=Path, help="write every sample to this file")
    return parser.parse_args()


def _fill(registry: Registry) -> None:
    mark = registry.root / FILLED
    if not mark.exists():
        for name, image in build().items():
            registry.push(name, image)
        mark.touch()


def _rounds(
    pullers: Sequence[Puller], host: str, cases: Sequence[str], rounds: int
) -> dict[str, dict[str, list[Sample]]]:
    results: dict[str, dict[str, list[Sample]]] = {case: {one.name: [] for one in pullers} for case in cases}
    for puller in pullers:  # what every program does once only
        puller.pull(f"{host}/tiny:1")
    for _ in range(rounds):
        for case in cases:
            name, before = CASES[case]
            for puller in pullers:
                for other in before:
                    puller.pull(f"{host}/{other}")
                sample = measure(puller, f"{host}/{name}")
                results[case][puller.name].append(sample)
                print(f"{case} {puller.name} {sample.wall_s:.2f} s", file=sys.stderr)
                puller.forget([f"{host}/{one}" for one in (name, *before)])
    return results


if __name__ == "__main__":
    sys.exit(main())
