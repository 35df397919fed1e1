"""`podwright port-forward`: forwards local ports to a pod."""

from __future__ import annotations

import click

from podwright.cli.connection import run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.port_mapping import parse_mapping


@click.command("port-forward")
@click.argument("pod")
@click.argument("mappings", metavar="[[ADDRESS:]LOCAL:]PORT...", nargs=-1, required=True)
@pass_invocation
def command(invocation: Invocation, pod: str, mappings: tuple[str, ...]) -> None:
    """Forward local ports to POD (an id, the start of one, or a name) until Ctrl-C.

    8080:80 listens on 127.0.0.1:8080 for port 80, 80 on the same port, :80 on any free port, and 192.0.2.1:8080:80 on
    that address of this machine.
    """
    wanted = [parse_mapping(text) for text in mappings]
    from podwright.cli.port_forwarding import forward_ports  # noqa: PLC0415 # gRPC and asyncio; bad usage needs neither

    run_async(forward_ports(invocation, pod, wanted))
