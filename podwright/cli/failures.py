"""How failures appear on a terminal: one line on stderr, a hint, an exit code. A traceback only with --debug.

Exit codes: 1 failure, 2 bad usage or bad input, 125 `exec` could not run its command, 130 interrupted (128 + SIGINT),
143 terminated, and whatever a command passes to `Leave`.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback

import click

from podwright.errors import InvalidArgument, PodwrightError

FAILURE = 1
BAD_USAGE = 2
COULD_NOT_RUN = (
    125  # for exec: distinguishes "podwright failed" from "the command failed", as in other container tools
)


class Leave(Exception):  # not an error, but an exit code
    """End with this exit code without a message."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class CouldNotRun(PodwrightError):
    """A failure of ours in a command that otherwise returns a container's exit code."""


class Terminated(BaseException):
    """SIGTERM arrived. The work was cancelled and cleaned up."""


def exit_code_of(failure: BaseException) -> int:
    """The exit code for a failure."""
    code = FAILURE
    if isinstance(failure, Leave):
        code = failure.exit_code
    elif isinstance(failure, CouldNotRun):
        code = COULD_NOT_RUN
    elif isinstance(failure, InvalidArgument | click.UsageError):
        code = BAD_USAGE
    elif isinstance(failure, KeyboardInterrupt | click.Abort):
        code = 128 + signal.SIGINT
    elif isinstance(failure, Terminated):
        code = 128 + signal.SIGTERM
    elif isinstance(failure, click.exceptions.Exit):
        code = failure.exit_code
    elif isinstance(failure, SystemExit):
        code = failure.code if isinstance(failure.code, int) else FAILURE
    return code


def report(failure: BaseException, *, debug: bool) -> None:
    """Report a failure on stderr: the help where only the command is missing, otherwise one line.

    Silent for interruptions, pipes closed by the reader, and `Leave`.
    """
    if _is_silent(failure):
        _detach_stdout(failure)
        return
    if isinstance(failure, click.exceptions.NoArgsIsHelpError):
        click.echo(failure.format_message(), err=True)
        return
    if debug:
        traceback.print_exception(failure)
    line, hint = _line_and_hint(failure)
    click.echo(f"podwright: {line}" + (f" ({hint})" if hint else ""), err=True)


def _is_silent(failure: BaseException) -> bool:
    quiet = (Leave, KeyboardInterrupt, click.Abort, Terminated, click.exceptions.Exit, SystemExit)
    return isinstance(failure, quiet) or (isinstance(failure, OSError) and failure.errno == errno.EPIPE)


def _detach_stdout(failure: BaseException) -> None:
    """After a broken pipe, prevent an error message when the interpreter flushes stdout at exit."""
    if isinstance(failure, OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _line_and_hint(failure: BaseException) -> tuple[str, str]:
    """What has failed, in one line, and what to do."""
    if isinstance(failure, PodwrightError):
        return _one_line(failure.message), failure.hint
    if isinstance(failure, click.UsageError):
        return _usage_line_and_hint(failure)
    if isinstance(failure, click.ClickException):
        return _in_our_form(failure.format_message()), ""
    if isinstance(failure, OSError):
        name = f"{failure.filename}: " if failure.filename else ""
        return f"{name}{failure.strerror or failure}", ""
    kind = type(failure).__name__
    return f"unexpected {kind}: {_one_line(str(failure))}", "please report it, with the output of --debug"


def _usage_line_and_hint(failure: click.UsageError) -> tuple[str, str]:
    """What is wrong with a command line, and what to do."""
    help_hint = f"see {failure.ctx.command_path if failure.ctx else 'podwright'} --help"
    if isinstance(failure, click.NoSuchOption):
        if failure.ctx is not None and failure.option_name in _options_of(failure.ctx.find_root().command):
            name = failure.ctx.command.name
            return f"{failure.option_name} stands before the command", f"podwright {failure.option_name} ... {name}"
        near = " or ".join(failure.possibilities or ())
        return f"there is no option {failure.option_name}", f"did you mean {near}?" if near else help_hint
    return _in_our_form(failure.format_message()), help_hint


def _options_of(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


def _in_our_form(text: str) -> str:
    """A message of click in the form of ours: one line, no capital at its start, no full stop at its end."""
    line = _one_line(text)
    return line[:1].lower() + line[1:].removesuffix(".")


def _one_line(text: str) -> str:
    return " ".join(text.split())
