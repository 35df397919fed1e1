"""CRI messages for programs: protobuf JSON as crictl prints it (camelCase, defaults included), and the same as YAML.

A list is the whole response message; an inspection is `{"info": …, "status": …}` with readable times.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

TIME_FIELDS = ("createdAt", "startedAt", "finishedAt")
NEVER = "0001-01-01T00:00:00Z"  # how Go prints a time that is not set, and programs know it
NANOSECONDS_PER_SECOND = 1_000_000_000


def as_data(message: Message) -> dict[str, Any]:
    """The message in protobuf's JSON mapping; unset scalars, lists and maps are there, unset messages are not."""
    return MessageToDict(message, always_print_fields_with_no_presence=True)


def as_inspection(status: Message, info: Mapping[str, str]) -> dict[str, Any]:
    """What `inspect` shows: the status with RFC 3339 times, and the verbose info with its JSON strings opened."""
    data = as_data(status)
    for name in TIME_FIELDS:
        if name in data:
            data[name] = rfc3339(int(data[name]))
    if "stopSignal" in data:
        data["stopSignal"] = data["stopSignal"].removeprefix("SIGNAL_")  # as Go programs name the enum's values
    return {"info": open_info(info), "status": data}


def open_info(info: Mapping[str, str]) -> dict[str, Any]:
    """A verbose answer's details with their JSON texts opened.

    containerd and CRI-O put everything under one key, "info"; crictl shows its contents, not the key.
    """
    opened: dict[str, Any] = {}
    for key, text in info.items():
        value = _opened(text)
        if key == "info" and isinstance(value, dict):
            opened.update(value)
        else:
            opened[key] = value
    return opened


def print_data(data: object, form: str) -> None:
    """Print for programs; `form` is "json" or "yaml"."""
    if form == "yaml":
        import yaml  # noqa: PLC0415 # only who asks for YAML waits for it

        click.echo(yaml.safe_dump(data, sort_keys=True, default_flow_style=False), nl=False)
    else:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def rfc3339(time_ns: int) -> str:
    """UTC with nanoseconds, trailing zeros trimmed as Go does."""
    if time_ns == 0:
        return NEVER
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS_PER_SECOND)
    fraction = f".{nanoseconds:09d}".rstrip("0").rstrip(".")
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def _opened(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value
