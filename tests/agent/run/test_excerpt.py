from __future__ import annotations

import pytest

from podwright.agent.run.excerpt import excerpt
from podwright.agent.run.outcome import FailedContainer
from podwright.agent.run.reporter import ContainerChange, describe

SHORT = "\n".join("abcdefgh")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        (" \n", ""),
        ("one line\n", "one line"),
        (SHORT, SHORT),
        (f"{SHORT}\ni", f"{SHORT}\ni"),
        ("\n".join("abcdefghij"), "a\nb\nc\n[2 more lines]\nf\ng\nh\ni\nj"),
        ("x" * 250, "x" * 240 + " [10 more characters]"),
        ("\x1b[2Jgone\ttab\x07", "\\x1b[2Jgone\ttab\\x07"),
        ("ü \u202e", "ü \\u202e"),
    ],
)
def test_excerpts(text: str, shown: str) -> None:
    assert excerpt(text) == shown


@pytest.mark.parametrize("text", ["x\n" * 2048, "\n" * 4096 + "end", "y" * 4096, "x\r\n" * 1365])
def test_a_termination_message_of_four_kilobytes_does_not_fill_the_screen(text: str) -> None:
    change = ContainerChange(container="c", phase="exited", exit_code=1, reason="Error", message=text)
    failed = FailedContainer(name="c", reason="Error", exit_code=1, message=text)
    for told in (describe(change), str(failed)):
        assert len(told.splitlines()) <= 10
        assert len(told) < 400
