"""Failures become exit codes and lines."""

from __future__ import annotations

import click
import pytest

from podwright.cli.app import run
from podwright.cli.failures import BAD_USAGE, CouldNotRun, Leave, Terminated, exit_code_of, report
from podwright.errors import InvalidArgument, NotFound, Unavailable


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (NotFound("x"), 1),
        (Unavailable("x"), 1),
        (InvalidArgument("x"), 2),
        (click.UsageError("x"), 2),
        (CouldNotRun("x"), 125),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (Terminated(), 143),
        (Leave(7), 7),
        (RuntimeError("x"), 1),
        (SystemExit(3), 3),
        (SystemExit("words"), 1),
        (OSError(2, "No such file"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_exit_codes(failure: BaseException, code: int) -> None:
    assert exit_code_of(failure) == code


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        (NotFound("no pod\nhere", hint="look"), "podwright: no pod here (look)\n"),
        (OSError(13, "Permission denied", "/a"), "podwright: /a: Permission denied\n"),
        (
            RuntimeError("odd"),
            "podwright: unexpected RuntimeError: odd (please report it, with the output of --debug)\n",
        ),
        (Leave(1), ""),
        (KeyboardInterrupt(), ""),
    ],
    ids=["ours", "system", "bug", "leave", "interrupt"],
)
def test_lines(failure: BaseException, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    report(failure, debug=False)
    assert capsys.readouterr().err == line


def test_a_missing_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert run([]) == BAD_USAGE
    assert capsys.readouterr().err == text
