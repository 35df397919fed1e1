"""Parses the parameters of a request for a container's log, and finds the instance. Pure.

Sources: PodLogOptions with its validation, and validateContainerLogStatus of pkg/kubelet/kubelet_pods.go.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podwright.crilog.records import Stream
from podwright.crilog.times import parse_time
from podwright.errors import FailedPrecondition, InvalidArgument, NotFound
from podwright.k8s.objects import ContainerStatus, Pod

SECOND_NS = 1_000_000_000
INT64_MAX = 2**63 - 1
STREAMS: dict[str, Stream] = {"Stdout": "stdout", "Stderr": "stderr"}
ALL_STREAMS = "All"
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class LogOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters.

    `since_ns` is a time, `stream` one of the two streams or None for both. Other Nones mean no limit.
    """

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since_ns: int | None = None
    stream: Stream | None = None


class Unprocessable(InvalidArgument):
    """Well-formed parameters with invalid values (422)."""


def log_options(query: Mapping[str, list[str]], now_ns: int, *, splits: bool) -> LogOptions:
    """Parse the parameters.

    `splits` is the gate PodLogsQuerySplitStreams. Raises InvalidArgument and Unprocessable.
    """
    values = {name: given[0] for name, given in query.items()}
    tail = values.get("tail", "")  # the name that the oldest clients use
    if tail:
        values["tailLines"] = "" if tail == "all" else tail
    tail_lines = _number(values, "tailLines")
    limit_bytes = _number(values, "limitBytes")
    since_s = _number(values, "sinceSeconds")
    since_time = values.get("sinceTime", "")
    since_ns = parse_time(since_time) if since_time else None
    if since_time and since_ns is None:
        raise InvalidArgument("Unable to decode query.")
    is_wrong = (
        (tail_lines is not None and tail_lines < 0)
        or (limit_bytes is not None and limit_bytes < 1)
        or (since_s is not None and (since_s < 1 or since_time != ""))
    )
    if is_wrong:
        raise Unprocessable("Invalid request.")
    if since_s is not None:
        since_ns = now_ns - since_s * SECOND_NS
    return LogOptions(
        follow=_flag(values, "follow"),
        previous=_flag(values, "previous"),
        timestamps=_flag(values, "timestamps"),
        tail_lines=tail_lines,
        limit_bytes=limit_bytes,
        since_ns=since_ns,
        stream=_stream(values.get("stream", ""), has_tail=tail_lines is not None, splits=splits),
    )


def _stream(name: str, *, has_tail: bool, splits: bool) -> Stream | None:
    if name in ("", ALL_STREAMS):
        return None
    if not splits:
        message = f'unable to return the given log stream: "{name[:64]}"'
        raise InvalidArgument(f"{message}. Please enable PodLogsQuerySplitStreams feature gate in kubelet")
    if name not in STREAMS or has_tail:
        raise Unprocessable("Invalid request.")
    return STREAMS[name]


def _number(values: Mapping[str, str], name: str) -> int | None:
    given = values.get(name, "")
    if not given:
        return None
    digits = given.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19 or abs(int(given)) > INT64_MAX:
        raise InvalidArgument("Unable to decode query.")
    return int(given)


def _flag(values: Mapping[str, str], name: str) -> bool:
    """A boolean parameter with the rules of Go's conversion: an empty value is true, and so is an invalid one."""
    given = values.get(name)
    return given is not None and given not in _FALSE


def instance_id(pod: Pod, name: str, *, previous: bool) -> str:
    """The id of the instance whose log is requested.

    Raises NotFound and FailedPrecondition, with the kubelet's messages.
    """
    status = _status(pod, name)
    what = f'container "{name}" in pod "{pod.metadata.name}"'
    if status is None:
        raise NotFound(f"{what} is not available")
    last = status.last_state.terminated
    if previous:
        if last is None or not last.container_id:
            raise NotFound(f"previous terminated {what} not found")
        return _id(last.container_id)
    state = status.state
    if state.running is not None:
        return _id(status.container_id)
    ended = state.terminated or last
    if ended is not None:
        found = ended.container_id or (last.container_id if last is not None else "")
        if not found:
            raise FailedPrecondition(f"{what} is terminated")
        return _id(found)
    if state.waiting is None:
        raise FailedPrecondition(f"{what} is waiting to start - no logs yet")
    why = {
        "ErrImagePull": "image can't be pulled",
        "ImagePullBackOff": "trying and failing to pull image",
    }.get(state.waiting.reason, state.waiting.reason)
    raise FailedPrecondition(f"{what} is waiting to start: {why}")


def _status(pod: Pod, name: str) -> ContainerStatus | None:
    status = pod.status
    each = (*status.container_statuses, *status.init_container_statuses, *status.ephemeral_container_statuses)
    return next((one for one in each if one.name == name), None)


def _id(text: str) -> str:
    """The id without the runtime's name before it."""
    return text.rpartition("//")[2]
