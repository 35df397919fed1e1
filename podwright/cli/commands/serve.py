"""`podwright serve`: the CRI server."""

from __future__ import annotations

import asyncio

import click

from podwright.cli.failures import Leave
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.loading import modules_to_keep

LEVELS = ("debug", "info", "warning", "error")


@click.command("serve")
@click.option("--config", "config_file", metavar="FILE", help="TOML file [default: /etc/podwright/config.toml].")
@click.option("--root", metavar="DIR", help="Images, records, container filesystems.")
@click.option("--state", metavar="DIR", help="Sockets and pinned namespaces. Need not survive a reboot.")
@click.option("--listen", metavar="URL", help="The socket to serve, unix:///path.")
@click.option("--log-level", type=click.Choice(LEVELS))
@pass_invocation
def command(
    invocation: Invocation,
    config_file: str | None,
    root: str | None,
    state: str | None,
    listen: str | None,
    log_level: str | None,
) -> None:
    """Run the CRI server until SIGTERM. Containers outlive it. Options override the file."""
    with modules_to_keep():
        from podwright.runtime.app import serve  # noqa: PLC0415 # the daemon's modules are for the daemon

    level = log_level or ("debug" if invocation.debug else None)
    code = asyncio.run(serve(config_file=config_file, root=root, state=state, listen=listen, log_level=level))
    if code:
        raise Leave(code)
