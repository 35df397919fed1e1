"""`podwright events`: events of containers and pods as they happen."""

from __future__ import annotations

import json
from collections.abc import Callable

import click
import msgspec

from podwright.cli import lookup, optional_calls, options
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data, rfc3339
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition

KINDS: dict[int, str] = {
    api.CONTAINER_CREATED_EVENT: "created",
    api.CONTAINER_STARTED_EVENT: "started",
    api.CONTAINER_STOPPED_EVENT: "stopped",
    api.CONTAINER_DELETED_EVENT: "deleted",
}


@click.command("events")
@click.option("--pod", "-p", help="Only events of this pod (id or name) and its containers.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document per line, as -o json.")
@options.output_option()
@pass_invocation
def command(invocation: Invocation, pod: str | None, as_json: bool, output: str | None) -> None:
    """Show events of containers and pods until Ctrl-C.

    containerd 1.7 sends each event to one client only, so a kubelet misses the events that are shown here.
    """
    form = "json" if as_json else output
    show: Callable[[api.ContainerEventResponse], None] = (
        Lines().show if form is None else lambda event: print_event(event, form)
    )
    run_async(_show(invocation, pod, show))


async def _show(invocation: Invocation, pod: str | None, show: Callable[[api.ContainerEventResponse], None]) -> None:
    async with connected(invocation) as cri:
        pod_id = await lookup.find_pod(cri, pod) if pod is not None else None
        call = cri.runtime.GetContainerEvents
        async for event in optional_calls.stream(cri, call, api.GetEventsRequest(), "stream events"):
            if pod_id is None or pod_id in (event.container_id, event.pod_sandbox_status.id):
                show(event)
        raise FailedPrecondition(
            f"the runtime behind {cri.endpoint} ended its stream of events",
            hint="CRI-O does so at once unless enable_pod_events is set",
        )


def print_event(event: api.ContainerEventResponse, form: str) -> None:
    """Print the complete event for programs: JSON on one line, or a YAML document."""
    data = as_data(event)
    if form == "json":
        click.echo(json.dumps(data, ensure_ascii=False))
    else:
        click.echo("---")
        print_data(data, form)


class Lines(msgspec.Struct):
    """One line per event. Names are remembered, because a deletion event may lack them."""

    _names: dict[str, str] = msgspec.field(default_factory=dict)

    def show(self, event: api.ContainerEventResponse) -> None:
        """Print the line."""
        click.echo(self.line(event))

    def line(self, event: api.ContainerEventResponse) -> str:
        """Time, event, object, and its id."""
        self._learn(event)
        time = rfc3339(event.created_at)
        kind = KINDS.get(event.container_event_type, str(event.container_event_type))
        known = self._names.get(event.container_id, "?")
        if event.container_event_type == api.CONTAINER_DELETED_EVENT:
            self._names.pop(event.container_id, None)
        return f"{time:<30}  {kind:<7}  {known}  {event.container_id[:13]}"

    def _learn(self, event: api.ContainerEventResponse) -> None:
        pod = event.pod_sandbox_status
        name = f"{pod.metadata.namespace}/{pod.metadata.name}"
        if pod.id:
            self._names[pod.id] = f"pod {name}"
        for container in event.containers_statuses:
            self._names[container.id] = f"container {name}/{container.metadata.name}"
