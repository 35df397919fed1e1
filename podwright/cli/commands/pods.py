"""`podwright pods`: lists the pods of this machine's agent, or a runtime's sandboxes."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from podwright.cli import options, table
from podwright.cli.agent_socket import is_there
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data
from podwright.cli.states import POD_STATES, pod_state
from podwright.cri.v1 import api_pb2 as api

COLUMNS = ("POD ID", "AGE", "STATE", "NAME", "NAMESPACE", "ATTEMPT")
WIDE_COLUMNS = (*COLUMNS, "RUNTIME", "UID")


@click.command("pods")
@options.agent_socket_option
@click.option("--sandboxes", is_flag=True, help="List the runtime's sandboxes, even if there is an agent.")
@click.option("--name", help="Only pods of this name.")
@click.option("--namespace", help="Only pods of this namespace.")
@click.option("--state", type=click.Choice(list(POD_STATES)), help="Only pods in this state.")
@options.label_option
@options.output_option(wide=True)
@options.quiet_option("pods")
@options.whole_ids_option
@pass_invocation
def command(  # noqa: PLR0913, PLR0917 # one argument per option is click's way
    invocation: Invocation,
    agent_socket: str,
    sandboxes: bool,
    name: str | None,
    namespace: str | None,
    state: str | None,
    labels: tuple[str, ...],
    output: str | None,
    quiet: bool,
    no_trunc: bool,
) -> None:
    """List the pods of this machine's agent, or pod sandboxes, newest first.

    The agent's pods are listed if it listens on its socket, or the socket is given. Sandboxes are listed otherwise,
    and with --sandboxes, --endpoint, or an option for sandboxes: --state, --quiet and --no-trunc.
    """
    speaks_of_sandboxes = sandboxes or state is not None or quiet or no_trunc or invocation.endpoint is not None
    source = click.get_current_context().get_parameter_source("agent_socket")
    names_agent = source is click.core.ParameterSource.COMMANDLINE
    if not speaks_of_sandboxes and (names_agent or is_there(agent_socket)):
        from podwright.cli.agent_pods import PodChoice, show_pods  # noqa: PLC0415 # 100 ms to import the API's types

        wanted = PodChoice(name=name, namespace=namespace, labels=options.parse_labels(labels))
        show_pods(agent_socket, wanted, output)
        return
    selector = api.PodSandboxFilter(label_selector=options.parse_labels(labels))
    if state is not None:
        selector.state.state = POD_STATES[state]
    response = run_async(_list(invocation, selector))
    pods = [pod for pod in response.items if _is_wanted(pod, name, namespace)]
    pods.sort(key=lambda pod: pod.created_at, reverse=True)
    if output in options.PROGRAM_FORMS:
        print_data(as_data(api.ListPodSandboxResponse(items=pods)), output)
    elif quiet:
        click.echo("".join(f"{pod.id}\n" for pod in pods), nl=False)
    else:
        columns = WIDE_COLUMNS if output == "wide" else COLUMNS
        rows = [_row(pod, time.time_ns(), whole=no_trunc)[: len(columns)] for pod in pods]
        click.echo(table.render(columns, rows), nl=False)


async def _list(invocation: Invocation, selector: api.PodSandboxFilter) -> api.ListPodSandboxResponse:
    async with connected(invocation) as cri:
        return await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest(filter=selector))


def _is_wanted(pod: api.PodSandbox, name: str | None, namespace: str | None) -> bool:
    return name in (None, pod.metadata.name) and namespace in (None, pod.metadata.namespace)


def _row(pod: api.PodSandbox, now_ns: int, *, whole: bool) -> Sequence[str]:
    return (
        table.short_id(pod.id, whole=whole),
        table.age(pod.created_at, now_ns),
        pod_state(pod.state),
        pod.metadata.name,
        pod.metadata.namespace,
        str(pod.metadata.attempt),
        pod.runtime_handler or "(default)",
        pod.metadata.uid,
    )
