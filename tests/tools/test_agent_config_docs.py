"""The documentation of the agent's configuration says what the table of settings says."""

from __future__ import annotations

from podwright.agent.config.settings import BY_KEY
from tools.agent_config_docs import DOCUMENT, rewritten


def test_the_tables_are_up_to_date() -> None:
    text = DOCUMENT.read_text()
    assert rewritten(text) == text, "run python -m tools.agent_config_docs"


def test_every_setting_is_in_a_table() -> None:
    text = DOCUMENT.read_text()
    assert [key for key in BY_KEY if f"| `{key}` |" not in text] == []
