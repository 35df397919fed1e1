"""One self-contained page, without external scripts, style sheets or pictures."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from podwright.bench.render import plots
from podwright.bench.render.summary import summary
from podwright.bench.render.tables import Row, cell, shown_unit, spread, tables
from podwright.bench.render.words import METHOD, head_lines, image_lines, target_lines
from podwright.bench.results import BenchReport, Measurement

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430 }
table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .2rem .7rem; border-bottom: 1px solid #dde2ea }
td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap } th { text-align: left }
small { color: #667; display: block; font-size: 75% } svg { max-width: 100%; height: auto }
pre { background: #f4f6f9; padding: .7rem; overflow: auto } section { margin-top: 2rem }
"""

check_available = plots.check_available


def render(report: BenchReport) -> str:
    """The page. Raises FailedPrecondition if the plotting library is missing."""
    names = [target.name for target in report.targets]
    labelled = ((f"{label} ({shown_unit(row.unit)})", row) for label, row in summary(report))
    body = [
        "<h1>podwright bench</h1>",
        _list([*head_lines(report), *target_lines(report), *image_lines(report)]),
        *(_without_prolog(svg) for svg in plots.everything(report)),
        _section("Summary", _table(names, labelled)),
        *(_section(table.suite, _table(names, ((row.label, row) for row in table.rows))) for table in tables(report)),
        _section("Method", _list(METHOD)),
        _section("Not measured", _list(report.gaps)),
        _section("Failed", _list(report.errors)),
        _section("Configurations", _list(report.machine.programs.values()) + _files(report)),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>podwright bench, {escape(report.date)}'
        f"</title><style>{STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _table(targets: Iterable[str], rows: Iterable[tuple[str, Row]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *targets))
    lines = [f"<tr><th>{escape(label)}</th>{''.join(map(_cell, row.cells))}</tr>" for label, row in rows]
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>" if lines else ""


def _cell(measurement: Measurement | None) -> str:
    return f"<td>{escape(cell(measurement))}<small>{escape(spread(measurement))}</small></td>"


def _files(report: BenchReport) -> str:
    return "".join(
        f"<details><summary>{escape(target.name)}: {escape(name)}</summary><pre>{escape(content)}</pre></details>"
        for target in report.targets
        for name, content in target.files.items()
    )


def _without_prolog(svg: str) -> str:
    """An SVG inside HTML has no XML declaration and no document type."""
    return svg[svg.index("<svg") :]
