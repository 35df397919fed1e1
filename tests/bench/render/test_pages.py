"""Whole pages."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from podwright.bench.render import html, markdown, plots, render, text
from tests.bench.reports import sample_report


def test_the_terminal_sees_every_number_gap_and_failure() -> None:
    page = text.render(sample_report())
    for words in (
        "pod start, 1 at once (ms)",
        "29.5 / 37.1 / 38.8",
        "none (1 failed)",
        "gone <away>",
        "it | has none",
    ):
        assert words in page


def test_markdown_tables_hold_together() -> None:
    page = markdown.render(sample_report())
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert rows
    assert {line.replace("\\|", "").count("|") for line in rows} == {4}  # a label and two targets
    assert "it \\| has none" in page
    assert "a note" in page


def test_the_page_is_self_contained_and_escapes_what_it_shows() -> None:
    page = html.render(sample_report())
    assert "<script" not in page
    assert "gone &lt;away&gt;" in page
    assert "&lt;a&gt; = 1" in page
    for reference in ("src=", "@import", "url(http", 'href="http'):
        assert reference not in page
    assert page.count("<svg") == 3


def test_plots_are_xml_and_the_same_each_time() -> None:
    report = sample_report()
    svg = plots.overview(report)
    assert ET.fromstring(svg).tag.endswith("svg")
    assert plots.overview(report) == svg
    assert "fast" in svg


@pytest.mark.parametrize("form", ["text", "markdown", "summary", "svg", "html"])
def test_every_form_can_be_asked_for(form: str) -> None:
    assert render(sample_report(), form)
