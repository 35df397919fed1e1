"""Puts the result of a run into the documentation: docs/benchmarks.md, its plot, and the table in the README.

    python -m tools.bench.publish [FOLDER]

FOLDER is where `make bench` wrote its reports (build/bench). The pages are made anew from its results.json.
"""

from __future__ import annotations

import sys
from pathlib import Path

from podwright.bench.render import render
from podwright.bench.render.markdown import PLOT
from podwright.bench.results import BenchReport, from_json

TREE = Path(__file__).resolve().parent.parent.parent
BEGIN, END = "<!-- benchmarks: made by tools.bench.publish -->", "<!-- /benchmarks -->"


def main() -> None:
    """Write all three; says what it wrote."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else TREE / "build/bench"
    report = from_json((folder / "results.json").read_bytes())
    docs = TREE / "docs"
    (docs / PLOT).parent.mkdir(exist_ok=True)
    for file, form in ((docs / "benchmarks.md", "markdown"), (docs / PLOT, "svg")):
        file.write_text(render(report, form))
        print(file.relative_to(TREE))
    readme = TREE / "README.md"
    readme.write_text(with_table(readme.read_text(), report))
    print(readme.relative_to(TREE))


def with_table(text: str, report: BenchReport) -> str:
    """The text with the summary between its two marks. Exits when it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"publish: the README needs a line {BEGIN} and, where the table ends, a line {END}")
    table = render(report, "summary")
    plot = f"![Pod start, pods per second, and how costs grow](docs/{PLOT})"
    return f"{before}{BEGIN}\n\n{table}\n{plot}\n\n{END}{after}"


if __name__ == "__main__":
    main()
