"""The table for a terminal. Pure."""

from __future__ import annotations

from podwright.bench.render.tables import ResultTable, cell, tables
from podwright.bench.render.words import head_lines, image_lines, target_lines
from podwright.bench.results import BenchReport


def render(report: BenchReport) -> str:
    """Head, one block for each suite, and what is missing."""
    lines = [*head_lines(report), *target_lines(report), *image_lines(report)]
    for table in tables(report):
        lines += ["", *_block(table)]
    for title, entries in (("not measured", report.gaps), ("failed", report.errors)):
        lines += ["", f"{title}:", *(f"  {entry}" for entry in entries)] if entries else []
    return "\n".join(lines) + "\n"


def _block(table: ResultTable) -> list[str]:
    rows = [(table.suite, *table.targets)] + [(row.label, *map(cell, row.cells)) for row in table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
