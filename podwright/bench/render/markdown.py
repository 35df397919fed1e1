"""Tables in Markdown, for the documentation. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from podwright.bench.render.summary import summary
from podwright.bench.render.tables import cell, shown_unit, spread, tables
from podwright.bench.render.words import METHOD, head_lines, image_lines, target_lines
from podwright.bench.results import BenchReport

PLOT = "benchmarks/overview.svg"
INTRODUCTION = """\
# Benchmarks

Made by `podwright bench report --markdown` from the JSON of one run, and the plot by `podwright bench report --svg`;
nothing here is typed by hand.
"""
EXPLAIN = {
    "start": "Pods started one at a time and several at once, and taken down again.",
    "density": "What a pod costs beside those that are there already; a pod with many containers.",
    "relist": "The kubelet's lists, once a second.",
    "exec": "Commands in a running container; port-forward with the same client on every target.",
    "pull": "Images pulled and unpacked from a registry on loopback, each time from nothing.",
    "agent": "Pods that a node agent makes of manifests: how fast, and what that costs the agent.",
    "lifecycle": "Pods started all at once, a daemon restarted under them, pods ended all at once.",
}


def render(report: BenchReport) -> str:
    """The complete page."""
    parts = [
        INTRODUCTION,
        *(f"- {line}" for line in [*head_lines(report), *target_lines(report), *image_lines(report)]),
        f"\n![Overview]({PLOT})\n\n## Summary\n",
        render_summary(report),
    ]
    for table in tables(report):
        rows = ((row.label, *map(cell, row.cells)) for row in table.rows)
        parts += [f"## {table.suite}\n\n{EXPLAIN.get(table.suite, '')}\n", _table(("", *table.targets), rows)]
    parts += ["## Method\n", *(f"- {line}" for line in METHOD), ""]
    for title, entries in (("Not measured", report.gaps), ("Failed", report.errors)):
        parts += [f"## {title}\n", *(f"- {_plain(entry)}" for entry in entries), ""] if entries else []
    parts += ["## Configurations\n", *_programs(report), *_files(report), "## Spread\n", *_spreads(report)]
    return "\n".join(parts).rstrip() + "\n"


def render_summary(report: BenchReport) -> str:
    """One table with the most important numbers."""
    rows = ((f"{label} ({shown_unit(row.unit)})", *map(cell, row.cells)) for label, row in summary(report))
    return _table(("", *(target.name for target in report.targets)), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_line(head), _line(["---", *("---:" for _ in head[1:])]), *map(_line, rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_plain, cells)) + " |"


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


def _programs(report: BenchReport) -> list[str]:
    return [*(f"- {version}" for version in report.machine.programs.values()), ""]


def _files(report: BenchReport) -> list[str]:
    return [
        f"<details><summary>{target.name}: {name}</summary>\n\n```\n{content.strip()}\n```\n\n</details>\n"
        for target in report.targets
        for name, content in target.files.items()
    ]


def _spreads(report: BenchReport) -> list[str]:
    """The intervals of the summary's numbers. All others are in the HTML page and the JSON."""
    names = [target.name for target in report.targets]
    return [
        f"- {label} ({shown_unit(row.unit)}): "
        + "; ".join(f"{name} {spread(each)}" for name, each in zip(names, row.cells, strict=True) if each)
        for label, row in summary(report)
    ]
