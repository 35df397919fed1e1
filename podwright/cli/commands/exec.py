"""`podwright exec`: runs a command in a container, by CRI's Exec, or with a timeout by ExecSync."""

from __future__ import annotations

import sys

import click

from podwright.cli import detach, lookup
from podwright.cli.connection import connected, run_async
from podwright.cli.failures import CouldNotRun, Leave
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.remote_session import Wishes, run_session
from podwright.cli.stdio import binary_output
from podwright.cli.terminal import check_terminal
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError

REPLY_MARGIN_S = (
    120.0  # as in the kubelet: the runtime kills the command at the timeout, and then needs time to answer
)


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("-i", "--stdin", "interactive", is_flag=True, help="Pass on stdin.")
@click.option("-t", "--tty", is_flag=True, help="Give the command a terminal. With -i, connect this one.")
@click.option("--detach-keys", default=detach.DEFAULT, show_default=True, help='Keys that detach. "": none.')
@click.option(
    "--timeout", "timeout_s", type=click.IntRange(min=1), help="Seconds after which the runtime kills the command."
)
@click.argument("container")
@click.argument("arguments", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_invocation
def command(
    invocation: Invocation,
    interactive: bool,
    tty: bool,
    detach_keys: str,
    timeout_s: int | None,
    container: str,
    arguments: tuple[str, ...],
) -> None:
    """Run COMMAND in CONTAINER (an id, the start of one, or a name), and exit with its exit code.

    Exit code 125 means that the command could not be run. With --timeout, the output is shown after its end.
    """
    cmd = arguments[1:] if arguments[0] == "--" else arguments
    if not cmd:
        raise click.UsageError("the command after -- is missing")
    wishes = Wishes(stdin=interactive, tty=tty, detach_keys=detach.parse_keys(detach_keys))
    if timeout_s is not None:
        if interactive or tty:
            raise click.UsageError("--timeout excludes -i and -t")
        exit_code = run_async(_exec_sync(invocation, container, cmd, timeout_s))
    else:
        if tty:
            check_terminal(interactive=interactive)
        exit_code = run_async(_exec(invocation, container, cmd, wishes))
    if exit_code != 0:
        raise Leave(exit_code & 0xFF)  # some runtimes answer -1 for "timed out"


async def _exec(invocation: Invocation, container: str, cmd: tuple[str, ...], wishes: Wishes) -> int:
    try:
        async with connected(invocation) as cri:
            found = await lookup.find_container(cri, container)
            request = api.ExecRequest(
                container_id=found, cmd=cmd, tty=wishes.tty, stdin=wishes.stdin, stdout=True, stderr=not wishes.tty
            )
            url = (await cri.call(cri.runtime.Exec, request)).url
            return (await run_session(url, wishes, container)).exit_code
    except PodwrightError as failure:
        raise CouldNotRun(failure.message, hint=failure.hint) from failure


async def _exec_sync(invocation: Invocation, container: str, cmd: tuple[str, ...], timeout_s: int) -> int:
    try:
        async with connected(invocation) as cri:
            found = await lookup.find_container(cri, container)
            request = api.ExecSyncRequest(container_id=found, cmd=cmd, timeout=timeout_s)
            response = await cri.call(cri.runtime.ExecSync, request, timeout_s=timeout_s + REPLY_MARGIN_S)
    except PodwrightError as failure:
        raise CouldNotRun(failure.message, hint=failure.hint) from failure
    for stream, data in ((sys.stdout, response.stdout), (sys.stderr, response.stderr)):
        output = binary_output(stream)
        output.write(data)
        output.flush()
    return response.exit_code
