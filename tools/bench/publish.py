"""Puts the result of a run into the documentation: docs/benchmarks.md, its plot, and the table in the README.

    python -m tools.bench.publish [FOLDER]

FOLDER is where `make bench` wrote its reports (build/bench). The pages are made anew from its results.json. The
section on handlers in docs/benchmarks.md is of another run: `python -m tools.bench --handlers --publish` makes it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from podwright.bench.render import render
from podwright.bench.render.markdown import PLOT
from podwright.bench.results import BenchReport, from_json
from tools.bench.handlers import section

TREE = Path(__file__).resolve().parent.parent.parent
BEGIN, END = "<!-- benchmarks: made by tools.bench.publish -->", "<!-- /benchmarks -->"
HANDLERS_BEGIN, HANDLERS_END = "<!-- handlers: made by tools.bench --handlers --publish -->", "<!-- /handlers -->"
HANDLERS_HEADING = """\
## Handlers and engines

Every handler and engine of Podwright, containerd with the same shim and runc, and Docker by the calls that dockershim
made. `podwright-docker` is Docker through CRI: the Engine counts with it.
"""


def main() -> None:
    """Write all three; says what it wrote."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else TREE / "build/bench"
    report = from_json((folder / "results.json").read_bytes())
    docs = TREE / "docs"
    (docs / PLOT).parent.mkdir(exist_ok=True)
    page = docs / "benchmarks.md"
    page.write_text(f"{render(report, 'markdown')}\n{handlers_part(page.read_text())}")
    (docs / PLOT).write_text(render(report, "svg"))
    for file in (page, docs / PLOT):
        print(file.relative_to(TREE))
    readme = TREE / "README.md"
    readme.write_text(with_table(readme.read_text(), report))
    print(readme.relative_to(TREE))


def publish_handlers(folder: Path) -> None:
    """Put the section on handlers into docs/benchmarks.md; says what it wrote."""
    page = TREE / "docs/benchmarks.md"
    text = page.read_text()
    old = handlers_part(text)
    page.write_text(text.replace(old, with_handlers(from_json((folder / "results.json").read_bytes()))))
    print(page.relative_to(TREE))


def handlers_part(page: str) -> str:
    """The section on handlers as the page has it, with its heading. Exits when it has none."""
    _, heading, rest = page.partition(HANDLERS_HEADING)
    within, end, _ = rest.partition(f"{HANDLERS_END}\n")
    if not heading or not end:
        sys.exit("publish: docs/benchmarks.md has no section on handlers")
    return f"{heading}{within}{end}"


def with_handlers(report: BenchReport) -> str:
    """The section of a run."""
    return f"{HANDLERS_HEADING}\n{HANDLERS_BEGIN}\n\n{section(report)}\n{HANDLERS_END}\n"


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
