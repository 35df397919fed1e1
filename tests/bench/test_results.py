"""The format to keep."""

from __future__ import annotations

import json

import pytest

from podwright.bench.results import FORMAT, as_json, from_json, json_schema
from podwright.errors import InvalidArgument
from tests.bench.reports import sample_report


def test_json_reads_back_as_it_was() -> None:
    report = sample_report()
    assert from_json(as_json(report)) == report


@pytest.mark.parametrize("text", ["", "{}", "[1]"])
def test_what_is_no_report(text: str) -> None:
    with pytest.raises(InvalidArgument, match="not a bench report"):
        from_json(text)


def test_another_format_is_refused() -> None:
    document = json.loads(as_json(sample_report()))
    document["format"] = FORMAT + 1
    with pytest.raises(InvalidArgument, match=f"reads format {FORMAT}"):
        from_json(json.dumps(document))


def test_the_schema_describes_the_measurements() -> None:
    definitions = json_schema()["$defs"]
    assert {"samples", "failures", "conditions", "summary"} <= set(definitions["Measurement"]["properties"])
    assert "p50" in definitions["SampleSummary"]["properties"]
