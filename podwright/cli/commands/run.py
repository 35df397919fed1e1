"""`podwright run`: runs pods from files in the foreground."""

from __future__ import annotations

import asyncio
import functools
import logging
import os

import click

from podwright.agent.run.daemon import DEFAULT_EMBEDDED_ROOT, DEFAULT_EMBEDDED_STATE
from podwright.agent.run.options import DEFAULT_ROOT, RunOptions, check
from podwright.agent.run.outcome import EXIT_BAD_INPUT, EXIT_FAILED
from podwright.agent.run.reporter import Reporter
from podwright.agent.run.runs import DEFAULT_LOG_ROOT
from podwright.cli.connection import connected, run_async
from podwright.cli.failures import Leave
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.run_reporter import shown_run
from podwright.cri.endpoint import ENDPOINT_VARIABLE
from podwright.errors import InvalidArgument, PodwrightError

UMASK = 0o022  # what pods share must be open to their users, whatever the person's own umask is
EPILOG = """Kinds: Pod, Deployment, ReplicaSet, DaemonSet, StatefulSet, Job, CronJob (with --now), Service, ConfigMap,
Secret, PersistentVolumeClaim, PersistentVolume, List. Others are left out, and a warning names them, as it names each
field that one machine cannot honour.

Exit codes: 0 when everything succeeded, or was stopped by Ctrl-C or detached; 1 when a container, a job or the runtime
failed; 2 when FILE cannot be run; 124 when the timeout passed; 130 when Ctrl-C came before the run had begun."""


@click.command("run", epilog=EPILOG)
@click.option("--watch", is_flag=True, help="Follow FILE: whenever it changes, so do the pods.")
@click.option("--kube-down", is_flag=True, help="End and remove what earlier runs have left of FILE.")
@click.option("--detach", is_flag=True, help="Leave the pods once they are ready (needs a daemon at the endpoint).")
@click.option("--now", is_flag=True, help="Let CronJobs run their job once, now.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Stop after S seconds."
)
@click.option("--config", "config_file", metavar="FILE", help="TOML file for the embedded daemon.")
@click.option("--root", metavar="DIR", help=f"The embedded daemon's root [default: {DEFAULT_EMBEDDED_ROOT}].")
@click.option("--state", metavar="DIR", help=f"The embedded daemon's state [default: {DEFAULT_EMBEDDED_STATE}].")
@click.option("--log-root", metavar="DIR", help=f"Container logs [default: {DEFAULT_LOG_ROOT}].")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@pass_invocation
def command(  # noqa: PLR0913, PLR0917 # one argument per option is click's way
    invocation: Invocation,
    watch: bool,
    kube_down: bool,
    detach: bool,
    now: bool,
    timeout_s: float | None,
    config_file: str | None,
    root: str | None,
    state: str | None,
    log_root: str | None,
    paths: tuple[str, ...],
) -> None:
    """Run the pods of FILE... until they end or Ctrl-C, and show what happens.

    FILE is YAML or JSON with any number of documents, a folder of such files, or - for standard input. What the pods
    use (ConfigMaps, Secrets, claims, services) stands in the same files. A daemon at the endpoint is used. When there
    is none, one is started for as long as the run lasts.
    """
    options = RunOptions(
        paths=paths,
        watch=watch,
        detach=detach,
        now=now,
        kube_down=kube_down,
        timeout_s=timeout_s,
        endpoint=invocation.endpoint or os.environ.get(ENDPOINT_VARIABLE) or None,
        config_file=config_file,
        root=os.path.join(root, "agent") if root else DEFAULT_ROOT,
        log_root=os.path.abspath(log_root) if log_root else DEFAULT_LOG_ROOT,
        embedded_root=root or DEFAULT_EMBEDDED_ROOT,
        embedded_state=state or DEFAULT_EMBEDDED_STATE,
    )
    check(options)
    # Statuses and events say what a person needs; the agent's log would be printed between them.
    logging.getLogger().addHandler(logging.NullHandler())
    with shown_run() as reporter:
        code = _take_down(invocation, options, reporter) if kube_down else asyncio.run(_run(options, reporter))
    if code:
        raise Leave(code)


async def _run(options: RunOptions, reporter: Reporter) -> int:
    from podwright.agent.run.assembling import run_ports  # noqa: PLC0415 # the agent's modules are for whoever runs pods
    from podwright.agent.run.run import run_files  # noqa: PLC0415
    from podwright.agent.run.stop import StopRequest  # noqa: PLC0415

    os.umask(UMASK)
    stop = StopRequest()
    with stop.on_signals():
        return await run_files(options, reporter, run_ports(options, reporter), stop)


def _take_down(invocation: Invocation, options: RunOptions, reporter: Reporter) -> int:
    from podwright.agent.run.kube_down import plan_of, take_down  # noqa: PLC0415 # as above
    from podwright.agent.run.release import release  # noqa: PLC0415
    from podwright.agent.runtime.client import RuntimeClient  # noqa: PLC0415

    try:
        plan = plan_of(options.paths)
    except InvalidArgument as failure:
        reporter.error(str(failure))
        return EXIT_BAD_INPUT

    async def work() -> int:
        async with connected(invocation) as cri:
            return await take_down(
                plan,
                root=options.root,
                endpoint=cri.endpoint,
                runtime=RuntimeClient(cri),
                release=functools.partial(release, options.root),
                reporter=reporter,
            )

    try:
        return run_async(work())
    except PodwrightError as failure:
        reporter.error(str(failure))
        return EXIT_FAILED
