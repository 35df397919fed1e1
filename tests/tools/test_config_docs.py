"""docs/config.md has every key of the daemon's configuration, with its meaning."""

from __future__ import annotations

import tomllib

from podwright.runtime.config import parse_config
from tools.config_docs import DOCUMENT, rewritten


def test_the_tables_are_those_of_the_sections() -> None:
    text = DOCUMENT.read_text()
    assert rewritten(text) == text, "run python -m tools.config_docs"


def test_every_key_has_a_meaning() -> None:
    assert [line for line in DOCUMENT.read_text().splitlines() if line.endswith("|  |")] == []


def test_the_example_is_a_configuration() -> None:
    example = DOCUMENT.read_text().split("```toml\n")[1].split("```")[0]
    assert parse_config(tomllib.loads(example), "example").default_handler == "crun"
