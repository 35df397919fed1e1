"""A pod with all details for people, in the style of `kubectl describe pod`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from podwright.cli import table
from podwright.cli.description_containers import container_lines
from podwright.cli.description_volumes import volume_lines
from podwright.cli.sheet import SheetLine, multiline, render, shown_time
from podwright.k8s import codec
from podwright.k8s.objects import EphemeralContainer, Pod
from podwright.k8s.times import parse_time

NONE = "<none>"


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's data about one pod (`/describe/NAMESPACE/NAME`)."""

    pod: Pod
    events: Sequence[Mapping[str, Any]]
    worker: Mapping[str, Any] | None
    problem: str  # why the agent syncs no pod; empty when it does


def read_description(answer: Mapping[str, Any]) -> Description:
    """The agent's answer. Raises InvalidArgument for an invalid pod."""
    return Description(
        pod=codec.from_document(answer["pod"], Pod),
        events=answer["events"],
        worker=answer.get("worker"),
        problem=answer.get("problem", ""),
    )


def describe(description: Description, now: datetime) -> str:
    """The complete text."""
    pod = description.pod
    lines = [
        *_identity(pod),
        *_state(pod, now),
        *_containers(pod),
        *_conditions(pod),
        *volume_lines(pod),
        SheetLine(0, "QoS Class:", pod.status.qos_class or NONE),
        *_worker(description.worker),
        *([SheetLine(1, "No Pod Is Synced:", description.problem)] if description.problem else ()),
    ]
    return render(lines) + _events(description.events, now)


def _identity(pod: Pod) -> Iterator[SheetLine]:
    metadata, spec = pod.metadata, pod.spec
    yield SheetLine(0, "Name:", metadata.name)
    yield SheetLine(0, "Namespace:", metadata.namespace)
    yield SheetLine(0, "UID:", metadata.uid)
    if spec.priority is not None:
        yield SheetLine(0, "Priority:", str(spec.priority))
    if spec.priority_class_name:
        yield SheetLine(0, "Priority Class Name:", spec.priority_class_name)
    if spec.runtime_class_name:
        yield SheetLine(0, "Runtime Class Name:", spec.runtime_class_name)
    if spec.service_account_name:
        yield SheetLine(0, "Service Account:", spec.service_account_name)
    yield SheetLine(0, "Node:", f"{spec.node_name}/{pod.status.host_ip}" if spec.node_name else NONE)
    if pod.status.start_time is not None:
        yield SheetLine(0, "Start Time:", shown_time(pod.status.start_time))
    yield from multiline(0, "Labels:", _pairs(metadata.labels, "="))
    yield from multiline(0, "Annotations:", _pairs(metadata.annotations, ": "))


def _state(pod: Pod, now: datetime) -> Iterator[SheetLine]:
    status, deleted = pod.status, pod.metadata.deletion_timestamp
    if deleted is not None and status.phase not in ("Succeeded", "Failed"):
        lasts = table.age(_nanoseconds(deleted), _nanoseconds(now))
        yield SheetLine(0, "Status:", f"Terminating (lasts {lasts})")
        yield SheetLine(0, "Termination Grace Period:", f"{pod.metadata.deletion_grace_period_seconds or 0}s")
    else:
        yield SheetLine(0, "Status:", status.phase)
    if status.reason:
        yield SheetLine(0, "Reason:", status.reason)
    if status.message:
        yield SheetLine(0, "Message:", status.message)
    yield SheetLine(0, "IP:", status.pod_ip)
    yield SheetLine(0, "IPs:", "" if status.pod_ips else NONE)
    for address in status.pod_ips:
        yield SheetLine(1, "IP:", address.ip)
    owner = next((each for each in pod.metadata.owner_references if each.controller), None)
    if owner is not None:
        yield SheetLine(0, "Controlled By:", f"{owner.kind}/{owner.name}")


def _containers(pod: Pod) -> Iterator[SheetLine]:
    spec, status = pod.spec, pod.status
    if spec.init_containers:
        yield from container_lines("Init Containers:", spec.init_containers, status.init_container_statuses)
    yield from container_lines("Containers:", spec.containers, status.container_statuses)
    if spec.ephemeral_containers:
        ephemeral: Sequence[EphemeralContainer] = spec.ephemeral_containers
        yield from container_lines("Ephemeral Containers:", ephemeral, status.ephemeral_container_statuses)


def _conditions(pod: Pod) -> Iterator[SheetLine]:
    conditions = pod.status.conditions
    if pod.spec.readiness_gates:
        states = {each.type: each.status for each in conditions}
        yield SheetLine(0, "Readiness Gates:")
        yield SheetLine(1, "Type", "Status")
        for gate in pod.spec.readiness_gates:
            yield SheetLine(1, gate.condition_type, states.get(gate.condition_type, NONE))
    if conditions:
        yield SheetLine(0, "Conditions:")
        yield SheetLine(1, "Type", "Status")
        for each in conditions:
            why = ": ".join(part for part in (each.reason, each.message) if part)
            yield SheetLine(1, each.type, each.status + (f"  ({why})" if why and each.status != "True" else ""))


def _worker(worker: Mapping[str, Any] | None) -> Iterator[SheetLine]:
    """The agent's current work on the pod, which no API server knows."""
    if worker is None:
        yield SheetLine(0, "Worker:", NONE)
        return
    yield SheetLine(0, "Worker:")
    yield SheetLine(1, "State:", f"{worker['state']}{', finished' if worker['finished'] else ''}")
    if worker["busySeconds"] is not None:
        yield SheetLine(1, "Busy For:", f"{worker['busySeconds']:.1f}s")
    if worker.get("waitsFor"):
        yield SheetLine(1, "Waits For:", worker["waitsFor"])
    if worker["nextPassSeconds"] is not None:
        yield SheetLine(1, "Next Pass In:", f"{worker['nextPassSeconds']:.1f}s")
    if worker["failure"]:
        yield SheetLine(1, "Waits Because:", worker["failure"])


def _events(events: Sequence[Mapping[str, Any]], now: datetime) -> str:
    if not events:
        return render([SheetLine(0, "Events:", NONE)])
    rows = [(each["type"], each["reason"], _event_age(each, now), _event_message(each)) for each in events]
    columns = ("Type", "Reason", "Age", "Message")
    text = table.render(columns, [tuple("-" * len(column) for column in columns), *rows])
    return "Events:\n" + "".join(f"  {line}\n" for line in text.splitlines())


def _event_age(event: Mapping[str, Any], now: datetime) -> str:
    first, last = (_since(event[key], now) for key in ("firstTimestamp", "lastTimestamp"))
    return f"{last} (x{event['count']} over {first})" if event["count"] > 1 else first


def _event_message(event: Mapping[str, Any]) -> str:
    message = " ".join(str(event["message"]).split())
    return f"{event['fieldPath']}: {message}" if event["fieldPath"] else message


def _since(text: str, now: datetime) -> str:
    return table.age(_nanoseconds(parse_time(text)), _nanoseconds(now))


def _nanoseconds(time: datetime) -> int:
    return int(time.timestamp() * 1e9)


def _pairs(values: Mapping[str, str], joint: str) -> Iterable[str]:
    return (f"{key}{joint}{values[key]}" for key in sorted(values))
