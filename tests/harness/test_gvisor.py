"""The documentation names every reason why a case cannot pass on gVisor."""

from __future__ import annotations

from pathlib import Path

from tests.harness.gvisor import REASONS


def test_every_reason_is_in_the_table() -> None:
    text = (Path(__file__).parents[2] / "docs/gvisor.md").read_text()
    for reason, cases in REASONS.items():
        assert f"| {reason} | {len(cases)} |" in text
