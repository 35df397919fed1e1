"""`podwright generate`: prints a systemd unit that keeps files running."""

from __future__ import annotations

import os
import shutil
import sys

import click

from podwright.cli.invocation import Invocation, pass_invocation
from podwright.errors import InvalidArgument


@click.command("generate")
@click.option("--now", is_flag=True, help="Run CronJobs once when the unit starts.")
@click.option("--root", metavar="DIR", help="As for podwright run.")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True)
@pass_invocation
def command(invocation: Invocation, now: bool, root: str | None, paths: tuple[str, ...]) -> None:
    """Print a systemd unit that runs the pods of FILE... at boot.

    Write it to /etc/systemd/system/NAME.service, then: systemctl daemon-reload && systemctl enable --now NAME. Without
    --endpoint the unit starts its own runtime. Warnings about ignored fields go to stderr.
    """
    from podwright.agent.run.documents import load_files  # noqa: PLC0415 # 100 ms to import the API's types
    from podwright.agent.run.expand import expand  # noqa: PLC0415
    from podwright.agent.run.plan import RunFacts  # noqa: PLC0415
    from podwright.agent.run.unit import UnitRequest, make_unit  # noqa: PLC0415

    if "-" in paths:
        raise InvalidArgument("a unit cannot read standard input", hint="write the manifest to a file")
    plan = expand(load_files(paths), RunFacts(run_id="", node_name="", claims_root="/", now=now))
    for warning in plan.warnings:
        click.echo(f"podwright: warning: {warning}", err=True)
    request = UnitRequest(
        program=program(),
        paths=tuple(os.path.abspath(path) for path in paths),
        options=(*(("--now",) if now else ()), *(("--root", os.path.abspath(root)) if root else ())),
        endpoint=invocation.endpoint,
    )
    click.echo(make_unit(plan, request), nl=False)


def program() -> tuple[str, ...]:
    """The absolute path of this program, for systemd."""
    name = sys.argv[0]
    found = shutil.which(name) if os.path.basename(name) == "podwright" else None
    return (os.path.abspath(found),) if found else (sys.executable, "-m", "podwright")
