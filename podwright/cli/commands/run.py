"""`podwright run`: runs pods from files in the foreground."""

from __future__ import annotations

import asyncio
import os

import click

from podwright.agent.run.kube_down import plan_of, take_down
from podwright.agent.run.options import DEFAULT_ROOT, RunOptions, check
from podwright.agent.run.outcome import EXIT_BAD_INPUT
from podwright.agent.run.reporter import Reporter
from podwright.agent.run.runs import RunPod
from podwright.agent.runtime.client import RuntimeClient
from podwright.agent.seed import options as seed_options
from podwright.agent.seed import places
from podwright.agent.seed.options import DEFAULT_EMBEDDED_ROOT, DEFAULT_EMBEDDED_STATE
from podwright.agent.seed.run import run_pod
from podwright.cli.connection import connected, run_async
from podwright.cli.failures import Leave
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.run_reporter import shown_run
from podwright.cri.endpoint import ENDPOINT_VARIABLE
from podwright.errors import InvalidArgument, PodwrightError, Unimplemented

EPILOG = """Exit codes: 0 when all containers succeeded, or the pod was stopped by Ctrl-C or detached; 1 when a
container or the runtime failed; 2 when FILE cannot be run; 124 when the timeout passed."""


@click.command("run", epilog=EPILOG)
@click.option("--watch", is_flag=True, help="Restart the Pod whenever FILE changes.")
@click.option("--kube-down", is_flag=True, help="Stop and remove what an earlier run --detach of FILE started.")
@click.option("--detach", is_flag=True, help="Leave the Pod running (needs a daemon at the endpoint).")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Stop after S seconds."
)
@click.option("--config", "config_file", metavar="FILE", help="TOML file for the embedded daemon.")
@click.option("--root", metavar="DIR", help=f"The embedded daemon's root [default: {DEFAULT_EMBEDDED_ROOT}].")
@click.option("--state", metavar="DIR", help=f"The embedded daemon's state [default: {DEFAULT_EMBEDDED_STATE}].")
@click.option("--log-root", metavar="DIR", default="", help="Container logs [default: /var/log/pods].")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@pass_invocation
def command(  # noqa: PLR0913, PLR0917 # one argument per option is click's way
    invocation: Invocation,
    watch: bool,
    kube_down: bool,
    detach: bool,
    timeout_s: float | None,
    config_file: str | None,
    root: str | None,
    state: str | None,
    log_root: str,
    paths: tuple[str, ...],
) -> None:
    """Run the Pod in FILE (YAML, - is standard input) until it ends or Ctrl-C, and show what happens.

    ConfigMaps and Secrets for it may be in the same FILE. A daemon at the endpoint is used. Without one, an embedded
    daemon runs as long as the Pod.
    """
    options = RunOptions(
        paths=paths,
        watch=watch,
        detach=detach,
        kube_down=kube_down,
        timeout_s=timeout_s,
        endpoint=invocation.endpoint or os.environ.get(ENDPOINT_VARIABLE) or None,
        config_file=config_file,
        root=os.path.join(root, "agent") if root else DEFAULT_ROOT,
        log_root=log_root,
        embedded_root=root or DEFAULT_EMBEDDED_ROOT,
        embedded_state=state or DEFAULT_EMBEDDED_STATE,
    )
    check(options)
    with shown_run() as reporter:
        code = _take_down(invocation, options, reporter) if kube_down else _run(options, reporter)
    if code:
        raise Leave(code)


def _run(options: RunOptions, reporter: Reporter) -> int:
    if len(options.paths) > 1 or (options.paths[0] != "-" and os.path.isdir(options.paths[0])):
        raise Unimplemented("several files and folders are not supported yet", hint="name one FILE with one Pod")
    seed = seed_options.RunOptions(
        file=options.paths[0],
        watch=options.watch,
        detach=options.detach,
        timeout_s=options.timeout_s,
        endpoint=options.endpoint,
        config_file=options.config_file,
        agent_root=options.root,
        log_root=options.log_root,
        embedded_root=options.embedded_root,
        embedded_state=options.embedded_state,
    )
    return asyncio.run(run_pod(seed, reporter))


def _take_down(invocation: Invocation, options: RunOptions, reporter: Reporter) -> int:
    try:
        plan = plan_of(options.paths)
    except InvalidArgument as failure:
        reporter.error(str(failure))
        return EXIT_BAD_INPUT

    async def release(pod: RunPod) -> None:
        directory = os.path.join(places.pods_root(options.root), pod.uid)
        place = await asyncio.to_thread(places.abandoned, directory)
        if place is not None:
            await asyncio.to_thread(places.remove, place)

    async def work() -> int:
        async with connected(invocation) as cri:
            return await take_down(
                plan,
                root=options.root,
                endpoint=cri.endpoint,
                runtime=RuntimeClient(cri),
                release=release,
                reporter=reporter,
            )

    try:
        return run_async(work())
    except PodwrightError as failure:
        reporter.error(str(failure))
        return 1
