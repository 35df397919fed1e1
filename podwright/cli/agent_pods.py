"""The agent's pods as a table, as `kubectl get pods` shows them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click
import msgspec

from podwright.cli import options, table
from podwright.cli.agent_socket import ask
from podwright.cli.output import print_data
from podwright.cli.pod_summary import summarise
from podwright.k8s import codec
from podwright.k8s.objects import Pod

COLUMNS = ("NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP")
WIDE_COLUMNS = (*COLUMNS, "NODE", "SOURCE", "UID")
SOURCE = "kubernetes.io/config.source"
NONE = "<none>"


class PodChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which pods to show. None and an empty mapping select all."""

    name: str | None
    namespace: str | None
    labels: Mapping[str, str]

    def matches(self, document: Mapping[str, Any]) -> bool:
        """Whether a pod, as JSON, is selected."""
        metadata = document["metadata"]
        labels = metadata.get("labels") or {}
        return (
            self.name in (None, metadata["name"])
            and self.namespace in (None, metadata["namespace"])
            and all(labels.get(key) == value for key, value in self.labels.items())
        )


def show_pods(socket: str, wanted: PodChoice, output: str | None) -> None:
    """Print the pods. `output` is `json`, `yaml`, `wide` or None. Raises what `agent_socket.ask` raises."""
    answer = ask(socket, "pods")
    answer["items"] = [document for document in answer.get("items") or () if wanted.matches(document)]
    if output is not None and output in options.PROGRAM_FORMS:
        print_data(answer, output)
        return
    pods = [codec.from_document(document, Pod) for document in answer["items"]]
    pods.sort(key=_since_ns, reverse=True)
    columns = WIDE_COLUMNS if output == "wide" else COLUMNS
    rows = [row(pod, time.time_ns())[: len(columns)] for pod in pods]
    click.echo(table.render(columns, rows), nl=False)


def row(pod: Pod, now_ns: int) -> Sequence[str]:
    """The cells of the wide table."""
    summary, metadata = summarise(pod), pod.metadata
    restarts = str(summary.restarts)
    if summary.restarts and summary.last_restart is not None:
        restarts += f" ({table.age(_nanoseconds(summary.last_restart), now_ns)} ago)"
    return (
        metadata.namespace,
        metadata.name,
        f"{summary.ready}/{summary.containers}",
        summary.status,
        restarts,
        table.age(_since_ns(pod), now_ns),
        pod.status.pod_ip or NONE,
        pod.spec.node_name or NONE,
        metadata.annotations.get(SOURCE) or NONE,
        metadata.uid,
    )


def _since_ns(pod: Pod) -> int:
    """The creation time of the pod. A static pod only has its start time."""
    made = pod.metadata.creation_timestamp or pod.status.start_time
    return _nanoseconds(made) if made is not None else 0


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)
