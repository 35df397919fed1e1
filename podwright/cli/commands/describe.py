"""`podwright describe`: details of a pod of the agent, with its events and the current work of its worker."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from podwright.cli import options
from podwright.cli.agent_socket import ask
from podwright.cli.output import print_data


@click.command("describe")
@options.agent_socket_option
@click.option("--namespace", "-n", default="default", show_default=True, metavar="NAME", help="The pod's namespace.")
@options.output_option()
@click.argument("pod")
def command(agent_socket: str, namespace: str, output: str | None, pod: str) -> None:
    """Show details of a pod of this machine's agent: state, conditions, containers, probes, events.

    POD is a name, the beginning of one, or NAMESPACE/NAME.
    """
    home, slash, name = pod.partition("/")
    steps = (home, name) if slash else (namespace, pod)
    answer = ask(agent_socket, "describe", *steps)
    if output is not None:
        print_data(answer, output)
        return
    from podwright.cli.description import describe, read_description  # noqa: PLC0415 # 100 ms to import the API's types

    click.echo(describe(read_description(answer), datetime.now(UTC)), nl=False)
