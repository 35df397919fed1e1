"""`podwright run`: a Pod from a file, in front of one's eyes."""

from __future__ import annotations

import asyncio
import os

import click

from podwright.agent.seed.options import DEFAULT_AGENT_ROOT, DEFAULT_EMBEDDED_ROOT, DEFAULT_EMBEDDED_STATE, RunOptions
from podwright.agent.seed.run import run_pod
from podwright.cli.failures import Leave
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.run_reporter import shown_run
from podwright.cri.endpoint import ENDPOINT_VARIABLE

EPILOG = """Exit codes: 0 when all containers succeeded, or the pod was stopped by Ctrl-C or detached; 1 when a
container or the runtime failed; 2 when FILE cannot be run; 124 when the timeout passed."""


@click.command("run", epilog=EPILOG)
@click.option("--watch", is_flag=True, help="Run the Pod anew whenever FILE changes.")
@click.option("--detach", is_flag=True, help="Leave the Pod running (needs a daemon at the endpoint).")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Stop after S seconds."
)
@click.option("--config", "config_file", metavar="FILE", help="TOML file for the embedded daemon.")
@click.option("--root", metavar="DIR", help=f"The embedded daemon's root [default: {DEFAULT_EMBEDDED_ROOT}].")
@click.option("--state", metavar="DIR", help=f"The embedded daemon's state [default: {DEFAULT_EMBEDDED_STATE}].")
@click.option("--log-root", metavar="DIR", default="", help="Container logs [default: /var/log/pods].")
@click.argument("file")
@pass_invocation
def command(  # noqa: PLR0913, PLR0917 # one argument per option is click's way
    invocation: Invocation,
    watch: bool,
    detach: bool,
    timeout_s: float | None,
    config_file: str | None,
    root: str | None,
    state: str | None,
    log_root: str,
    file: str,
) -> None:
    """Run the Pod in FILE (YAML; - is standard input) until it ends or Ctrl-C, and show what happens.

    ConfigMaps and Secrets that it uses may stand in the same FILE. A daemon at the endpoint is used; when there is
    none, one is started for as long as the Pod runs.
    """
    options = RunOptions(
        file=file,
        watch=watch,
        detach=detach,
        timeout_s=timeout_s,
        endpoint=invocation.endpoint or os.environ.get(ENDPOINT_VARIABLE) or None,
        config_file=config_file,
        agent_root=os.path.join(root, "agent") if root else DEFAULT_AGENT_ROOT,
        log_root=log_root,
        embedded_root=root or DEFAULT_EMBEDDED_ROOT,
        embedded_state=state or DEFAULT_EMBEDDED_STATE,
    )
    with shown_run() as reporter:
        code = asyncio.run(run_pod(options, reporter))
    if code:
        raise Leave(code)
