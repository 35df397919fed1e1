"""`podwright ps`: lists containers."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

import click

from podwright.cli import lookup, options, table
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data
from podwright.cli.states import CONTAINER_STATES, container_state
from podwright.cri.v1 import api_pb2 as api

COLUMNS = ("CONTAINER", "AGE", "STATE", "NAME", "ATTEMPT", "POD", "NAMESPACE", "IMAGE")
WIDE_COLUMNS = (*COLUMNS, "POD ID", "IMAGE ID")
IMAGE_ID = re.compile(r"(sha256:)?[0-9a-f]{64}")


@click.command("ps")
@click.option("--all", "-a", "every", is_flag=True, help="Show containers in every state, not only the running ones.")
@click.option("--state", type=click.Choice(list(CONTAINER_STATES)), help="Only containers in this state.")
@click.option("--pod", "-p", help="Only containers of this pod (id or name).")
@click.option("--name", help="Only containers of this name.")
@options.label_option
@options.output_option(wide=True)
@options.quiet_option("containers")
@options.whole_ids_option
@pass_invocation
def command(  # noqa: PLR0913, PLR0917 # one argument per option is click's way
    invocation: Invocation,
    every: bool,
    state: str | None,
    pod: str | None,
    name: str | None,
    labels: tuple[str, ...],
    output: str | None,
    quiet: bool,
    no_trunc: bool,
) -> None:
    """List containers, newest first. Without -a, only running ones."""
    selector = api.ContainerFilter(label_selector=options.parse_labels(labels))
    if state is not None or not every:
        selector.state.state = CONTAINER_STATES[state or "running"]
    found, pods = run_async(_list(invocation, selector, pod))
    containers = [container for container in found if name in (None, container.metadata.name)]
    containers.sort(key=lambda container: container.created_at, reverse=True)
    if output in options.PROGRAM_FORMS:
        print_data(as_data(api.ListContainersResponse(containers=containers)), output)
    elif quiet:
        click.echo("".join(f"{container.id}\n" for container in containers), nl=False)
    else:
        columns = WIDE_COLUMNS if output == "wide" else COLUMNS
        now_ns = time.time_ns()
        rows = [_row(container, pods, now_ns, whole=no_trunc)[: len(columns)] for container in containers]
        click.echo(table.render(columns, rows), nl=False)


async def _list(
    invocation: Invocation, selector: api.ContainerFilter, pod: str | None
) -> tuple[list[api.Container], dict[str, api.PodSandboxMetadata]]:
    """The containers, and the names of all sandboxes by id."""
    async with connected(invocation) as cri:
        if pod is not None:
            selector.pod_sandbox_id = await lookup.find_pod(cri, pod)
        response = await cri.call(cri.runtime.ListContainers, api.ListContainersRequest(filter=selector))
        pods = await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    return list(response.containers), {each.id: each.metadata for each in pods.items}


def _row(
    container: api.Container, pods: Mapping[str, api.PodSandboxMetadata], now_ns: int, *, whole: bool
) -> Sequence[str]:
    pod = pods.get(container.pod_sandbox_id, api.PodSandboxMetadata(name="?", namespace="?"))
    return (
        table.short_id(container.id, whole=whole),
        table.age(container.created_at, now_ns),
        container_state(container.state),
        container.metadata.name,
        str(container.metadata.attempt),
        pod.name,
        pod.namespace,
        image_name(container, whole=whole),
        table.short_id(container.pod_sandbox_id, whole=whole),
        table.short_id(container.image_id or container.image_ref, whole=whole),
    )


def image_name(container: api.Container, *, whole: bool = False) -> str:
    """The image as named in the Pod. Repository and digest if the runtime only reports an id."""
    name = container.image.user_specified_image or container.image.image
    if not IMAGE_ID.fullmatch(name):
        return name
    repository, at, digest = container.image_ref.partition("@")
    return f"{repository}@{table.short_id(digest, whole=whole)}" if at else table.short_id(name, whole=whole)
