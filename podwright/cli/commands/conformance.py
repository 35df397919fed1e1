"""`podwright conformance`: whether an endpoint does what a CRI server must do."""

from __future__ import annotations

import click

from podwright.cli.connection import check_listening
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.conformance.run import Options, run
from podwright.cri.endpoint import normalise

IMAGE = "docker.io/library/busybox:1"


@click.command("conformance")
@click.option("--endpoint", "-e", metavar="URL", help="The endpoint under test.")
@click.option("--image", default=IMAGE, show_default=True, help="An image with busybox, which the server pulls.")
@click.option("--cgroup-parent", default="", metavar="PATH", help="The cgroup parent of the pods.")
@click.option("--select", "-k", default="", metavar="EXPR", help="Only cases that match, as pytest's -k.")
@click.option("--report", default="", metavar="FILE", help="Write the outcome of each case as JUnit XML.")
@click.option("--list", "list_only", is_flag=True, help="Only list the cases.")
@click.option("--verbose", "-v", is_flag=True, help="Print a line for each case.")
@pass_invocation
def command(  # click needs one argument per option
    invocation: Invocation,
    endpoint: str | None,
    image: str,
    cgroup_parent: str,
    select: str,
    report: str,
    list_only: bool,
    verbose: bool,
) -> int:
    """Check that an endpoint does what a CRI server must do. The exit code is 1 if a case fails.

    Run it on the server's host, as root, on a server for tests, because it creates and removes pods. A case that a
    known runtime is known to fail counts as xfailed.
    """
    chosen = normalise(endpoint) if endpoint else invocation.chosen_endpoint()
    if not list_only:
        check_listening(chosen)
    return run(
        Options(
            endpoint=chosen,
            image=image,
            cgroup_parent=cgroup_parent,
            select=select,
            report=report,
            verbose=verbose,
            list_only=list_only,
        )
    )
