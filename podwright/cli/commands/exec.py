"""`podwright exec`: a command in a running container, by CRI's ExecSync."""

from __future__ import annotations

import sys

import click

from podwright.cli import lookup
from podwright.cli.connection import connected, run_async
from podwright.cli.failures import CouldNotRun, Leave
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError

REPLY_MARGIN_S = 120.0  # the kubelet's: the runtime ends the command by its own timeout, and then has to answer


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("--timeout", "timeout_s", type=click.IntRange(min=0), default=0, help="Seconds; 0 means no limit.")
@click.option("-i", "--stdin", "interactive", is_flag=True, help="Not available yet.")
@click.option("-t", "--tty", is_flag=True, help="Not available yet.")
@click.argument("container")
@click.argument("words", metavar="-- COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@pass_invocation
def command(
    invocation: Invocation, timeout_s: int, interactive: bool, tty: bool, container: str, words: tuple[str, ...]
) -> None:
    """Run COMMAND in CONTAINER, print what it wrote, and exit with its exit code.

    The output comes when the command has ended. Exit code 125 means that the command could not be run.
    """
    if interactive or tty:
        raise click.UsageError("exec without -i and -t only: interactive sessions are not available yet")
    cmd = words[1:] if words[0] == "--" else words
    if not cmd:
        raise click.UsageError("there is no command to run after --")
    response = run_async(_exec(invocation, container, cmd, timeout_s))
    sys.stdout.buffer.write(response.stdout)
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(response.stderr)
    sys.stderr.buffer.flush()
    if response.exit_code != 0:
        raise Leave(response.exit_code & 0xFF)  # -1 is how some runtimes say "timed out"


async def _exec(invocation: Invocation, container: str, cmd: tuple[str, ...], timeout_s: int) -> api.ExecSyncResponse:
    try:
        async with connected(invocation) as cri:
            found = await lookup.find_container(cri, container)
            request = api.ExecSyncRequest(container_id=found, cmd=cmd, timeout=timeout_s)
            deadline_s = timeout_s + REPLY_MARGIN_S if timeout_s else None
            return await cri.call(cri.runtime.ExecSync, request, timeout_s=deadline_s)
    except PodwrightError as failure:
        raise CouldNotRun(failure.message, hint=failure.hint) from failure
