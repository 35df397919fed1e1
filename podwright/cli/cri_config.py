"""PodSandboxConfig and ContainerConfig from files in crictl's format: JSON or YAML, with CRI's field names.

Stricter than crictl: an unknown field is an error that suggests the nearest one.
"""

from __future__ import annotations

import base64
import json
import sys
import uuid
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from podwright.cli.files import doing
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from podwright.nesting import check_nesting
from podwright.spelling import nearest

STDIN = "-"
HINT = "name a file in crictl's format, or - for standard input"
SIZE_LIMIT_BYTES = 16 * 1024 * 1024  # the limit of a CRI server for one message
DEPTH_LIMIT = 100

Config = TypeVar("Config", bound=Message)


def read_pod_config(path: str) -> api.PodSandboxConfig:
    """The config in the file. `-` is standard input. Adds a uid if it is missing. Raises InvalidArgument."""
    config = parse_config(_read(path), api.PodSandboxConfig(), path)
    if not config.metadata.name or not config.metadata.namespace:
        raise InvalidArgument(f"{path}: metadata.name and metadata.namespace are required")
    if not config.metadata.uid:
        config.metadata.uid = str(uuid.uuid4())
    return config


def read_container_config(path: str) -> api.ContainerConfig:
    """The config in the file. `-` is standard input. Raises InvalidArgument."""
    config = parse_config(_read(path), api.ContainerConfig(), path)
    if not config.metadata.name:
        raise InvalidArgument(f"{path}: metadata.name is required")
    if not config.image.image:
        raise InvalidArgument(f"{path}: image.image is required")
    if not config.image.user_specified_image:
        config.image.user_specified_image = config.image.image
    return config


def parse_config(data: bytes, config: Config, path: str) -> Config:
    """Fill `config` from JSON or YAML. `path` is for messages. Raises InvalidArgument."""
    try:
        content = _load(data)
        if not isinstance(content, dict):
            raise InvalidArgument(f"{path}: it is not a {config.DESCRIPTOR.name}: a mapping is needed")
        return ParseDict(_readable_fields(content, config.DESCRIPTOR, ""), config)
    except _BadField as failure:
        raise InvalidArgument(f"{path}: {config.DESCRIPTOR.name}: {failure}") from failure
    except (ParseError, ValueError) as failure:
        raise InvalidArgument(f"{path}: {failure}") from failure


class _BadField(Exception):
    """The wrong field, and the problem."""


def _read(path: str) -> bytes:
    if path == STDIN:
        data = sys.stdin.buffer.read(SIZE_LIMIT_BYTES + 1)
    else:
        with doing("read the config", path, hint=HINT), open(path, "rb") as file:
            data = file.read(SIZE_LIMIT_BYTES + 1)
    if len(data) > SIZE_LIMIT_BYTES:
        raise InvalidArgument(f"{path}: it has more than {SIZE_LIMIT_BYTES} bytes, more than a CRI server accepts")
    return data


def _load(data: bytes) -> Any:
    """Raises ValueError."""
    text = data.decode()
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass  # YAML's flow style looks like JSON
    import yaml  # noqa: PLC0415 # only who has YAML waits for it

    try:
        check_nesting(text, DEPTH_LIMIT)
        return yaml.safe_load(text)
    except yaml.YAMLError as failure:
        raise ValueError(f"neither JSON nor YAML: {failure}") from failure


def _readable_fields(content: dict[Any, Any], descriptor: Any, path: str) -> dict[str, Any]:
    """The fields for ParseDict, which requires base64 for bytes: texts of bytes fields are encoded.

    Raises _BadField for a field that the message does not have.
    """
    fields = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    readable = {}
    for key, value in content.items():
        here = f"{path}.{key}" if path else str(key)
        field = fields.get(str(key))
        if field is None:
            near = nearest(str(key), [each.name for each in descriptor.fields])
            raise _BadField(f"there is no field {here}" + (f", did you mean {near}?" if near else ""))
        readable[str(key)] = _readable(value, field, here)
    return readable


def _readable(value: Any, field: FieldDescriptor, path: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES and isinstance(value, str):
        return base64.b64encode(value.encode()).decode()
    kind = field.message_type
    if kind is None or kind.GetOptions().map_entry:
        return value
    if isinstance(value, list):
        return [_readable(each, field, f"{path}[{index}]") for index, each in enumerate(value)]
    return _readable_fields(value, kind, path) if isinstance(value, dict) else value
