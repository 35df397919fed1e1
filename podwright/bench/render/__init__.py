"""The report for people. Everything is made from a `results.BenchReport`, so it can be made again from JSON.

`tables` has the content, `words` the text around it, `summary` the most important numbers, `plots` the pictures. The
formats are `text`, `markdown` and `html`.
"""

from __future__ import annotations

from podwright.bench.results import BenchReport


def render(report: BenchReport, form: str) -> str:
    """The report as `text`, `markdown`, `summary` (one Markdown table), `svg` (one plot) or `html`.

    Raises FailedPrecondition for forms with plots if the plotting library is missing.
    """
    from podwright.bench.render import html, markdown, plots, text  # noqa: PLC0415 # plots takes a second to import

    forms = {
        "text": text.render,
        "markdown": markdown.render,
        "summary": markdown.render_summary,
        "svg": plots.overview,
        "html": html.render,
    }
    return forms[form](report)
