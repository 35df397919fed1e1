"""Puts the result of a run into the documentation: docs/benchmarks.md, its plot, and the table in the README.

    python -m tools.bench.publish [FOLDER]

FOLDER is where `make bench` wrote its reports (build/bench). The pages are made anew from its results.json. The page
keeps its sections of other runs: `python -m tools.bench --publish` with --handlers or --agent makes those.
"""

from __future__ import annotations

import sys
from pathlib import Path

from podwright.bench.render import render
from podwright.bench.render.markdown import PLOT
from podwright.bench.results import BenchReport, from_json
from tools.bench.sections import SECTIONS, Section

TREE = Path(__file__).resolve().parent.parent.parent
BEGIN, END = "<!-- benchmarks: made by tools.bench.publish -->", "<!-- /benchmarks -->"


def main() -> None:
    """Write all three; says what it wrote."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else TREE / "build/bench"
    report = from_json((folder / "results.json").read_bytes())
    docs = TREE / "docs"
    (docs / PLOT).parent.mkdir(exist_ok=True)
    page = docs / "benchmarks.md"
    kept = [section.of_page(page.read_text()) for section in SECTIONS]
    page.write_text("\n".join([render(report, "markdown"), *kept]))
    (docs / PLOT).write_text(render(report, "svg"))
    for file in (page, docs / PLOT):
        print(file.relative_to(TREE))
    readme = TREE / "README.md"
    readme.write_text(with_table(readme.read_text(), report))
    print(readme.relative_to(TREE))


def publish_section(section: Section, folder: Path) -> None:
    """Put a section of docs/benchmarks.md in the place of the old one; says what it wrote."""
    page = TREE / "docs/benchmarks.md"
    text = page.read_text()
    report = from_json((folder / "results.json").read_bytes())
    page.write_text(text.replace(section.of_page(text), section.of_run(report)))
    print(page.relative_to(TREE))


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
