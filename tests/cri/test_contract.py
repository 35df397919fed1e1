"""The proto against the published table of CRI v1, line by line, and the calls that stand beside it."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, MethodDescriptor

from podwright.cri.v1 import api_pb2

TABLE = Path(__file__).with_name("cri-v1.tsv")
BESIDE = {
    "StartPodSandbox": ("StartPodSandboxRequest", "StartPodSandboxResponse", ["1 pod_sandbox_id string"]),
    "PauseContainer": ("PauseContainerRequest", "PauseContainerResponse", ["1 container_id string"]),
    "UnpauseContainer": ("UnpauseContainerRequest", "UnpauseContainerResponse", ["1 container_id string"]),
}
SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_UINT64: "uint64",
}


def _local(full_name: str) -> str:
    return full_name.removeprefix("runtime.v1.")


def _type(field: FieldDescriptor) -> str:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields
        return f"map<{_type(key)},{_type(value)}>"
    if field.message_type is not None:
        name = _local(field.message_type.full_name)
    elif field.enum_type is not None:
        name = _local(field.enum_type.full_name)
    else:
        name = SCALARS[field.type]
    repeated = "repeated " if field.is_repeated else ""
    return repeated + name + (" deprecated" if field.GetOptions().deprecated else "")


def _message_lines(message: Descriptor) -> list[str]:
    name = _local(message.full_name)
    lines = [f"message\t{name}\t{field.number}\t{field.name}\t{_type(field)}" for field in message.fields]
    lines = lines or [f"message\t{name}\t-\t-\t-"]
    for nested in message.enum_types:
        lines += _enum_lines(nested)
    return lines


def _enum_lines(enum: EnumDescriptor) -> list[str]:
    return [f"enum\t{_local(enum.full_name)}\t{value.number}\t{value.name}\t-" for value in enum.values]


def _rpc_line(service: str, method: MethodDescriptor) -> str:
    stream = "stream " if method.server_streaming else ""
    return f"rpc\t{service}\t{method.name}\t{method.input_type.name}\t{stream}{method.output_type.name}"


def _proto_lines() -> set[str]:
    file = api_pb2.DESCRIPTOR
    lines: list[str] = []
    for service in file.services_by_name.values():
        lines += [_rpc_line(service.name, method) for method in service.methods]
    for message in file.message_types_by_name.values():
        lines += _message_lines(message)
    for enum in file.enum_types_by_name.values():
        lines += _enum_lines(enum)
    return set(lines)


def _beside_lines() -> set[str]:
    lines = set()
    for name, (request, response, fields) in BESIDE.items():
        lines.add(f"rpc\tRuntimeService\t{name}\t{request}\t{response}")
        lines |= {"\t".join(["message", request, *field.split(" ")]) for field in fields}
        lines.add(f"message\t{response}\t-\t-\t-")
    return lines


def test_proto_is_the_table_and_three_more_calls() -> None:
    table = set(TABLE.read_text().splitlines())
    assert _proto_lines() == table | _beside_lines()


def test_table_has_the_whole_interface() -> None:
    rows = [line.split("\t") for line in TABLE.read_text().splitlines()]
    assert sum(row[0] == "rpc" for row in rows) == 43
    assert len({row[1] for row in rows if row[0] == "message"}) == 175


def test_package_is_the_one_that_clients_call() -> None:
    assert api_pb2.DESCRIPTOR.package == "runtime.v1"
