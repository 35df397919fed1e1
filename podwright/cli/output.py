"""CRI messages for programs: protobuf JSON as in crictl (camelCase, with defaults), and the same as YAML.

A list is the complete response message. An inspection is `{"info": …, "status": …}` with readable times.
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
NEVER = "0001-01-01T00:00:00Z"  # Go's zero time, which programs expect
NANOSECONDS_PER_SECOND = 1_000_000_000


def as_data(message: Message) -> dict[str, Any]:
    """The message as protobuf JSON. Unset scalars, lists and maps are included, unset messages are not."""
    return MessageToDict(message, always_print_fields_with_no_presence=True)


def as_inspection(status: Message, info: Mapping[str, str]) -> dict[str, Any]:
    """The output of `inspect`: the status with RFC 3339 times, and the verbose info with its JSON strings parsed."""
    data = as_data(status)
    for name in TIME_FIELDS:
        if name in data:
            data[name] = rfc3339(int(data[name]))
    if "stopSignal" in data:
        data["stopSignal"] = data["stopSignal"].removeprefix(
            "SIGNAL_"
        )  # Go programs use the enum's values without the prefix
    return {"info": open_info(info), "status": data}


def open_info(info: Mapping[str, str]) -> dict[str, Any]:
    """The details of a verbose answer, with their JSON texts parsed.

    containerd and CRI-O put everything under one key, "info". crictl shows its content, not the key.
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
    """Print for programs. `form` is "json" or "yaml"."""
    if form == "yaml":
        import yaml  # noqa: PLC0415 # only who asks for YAML waits for it

        click.echo(yaml.safe_dump(data, sort_keys=True, default_flow_style=False), nl=False)
    else:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def rfc3339(time_ns: int) -> str:
    """UTC with nanoseconds. Trailing zeros are removed, as in Go."""
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
