"""Messages of the contract with fields that no sane client sends: drawn by hypothesis from the descriptors.

Paths stay inside the test's own directory or lead where nothing can be made: what a daemon makes of them on request
(missing directories of mounts and logs) must not litter the machine.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

TRICKS = ("", " ", ".", "..", "../..", "a/../../b", "a\0b", "\0", "\n", "a\nb", "-rf", "--", "%s%n{0}", "$(id)", "~")
TEXTS = (*TRICKS, "x" * 64, "x" * 255, "x" * 5000, "ü" * 100, "漢字", "\u202e", "null", "[]", "=", "a=b", ",", ":")
NUMBERS = (0, 1, -1, 2, 7, 255, 65535, 65536, 1 << 31, (1 << 31) - 1, -(1 << 31), (1 << 63) - 1, -(1 << 63), 1 << 40)
WIDTHS = {
    FieldDescriptor.TYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.TYPE_ENUM: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.TYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.TYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.TYPE_UINT64: (0, (1 << 64) - 1),
}
HOST_PATHS = frozenset({"host_path", "log_directory", "location", "output_path", "checkpoint_path"})


class Spoiler:
    """Draws by way of one hypothesis `data` object."""

    def __init__(self, data: st.DataObject, *, folder: str, cgroup_parent: str) -> None:
        """`folder` and `cgroup_parent` are the test's own."""
        self._data = data
        nowhere = ("/proc/nowhere/x", "/dev/null/x", "/sys/x", "/" + "x" * 300, "/" + "x/" * 3000)
        self._paths = (
            *TRICKS,
            *nowhere,
            folder,
            f"{folder}/a/../b",
            f"{folder}//c/.",
            f"{folder}/d\0e",
            f"{folder}/ü",
        )
        inside = (cgroup_parent, f"{cgroup_parent}/a b", f"{cgroup_parent}/ü", f"{cgroup_parent}//")
        self._parents = (*inside, f"{cgroup_parent}/..", "../..", "a\0b", f"{cgroup_parent}/{'x' * 300}")

    def spoil(self, message: Message) -> None:
        """One field, somewhere in the message: set, added to, or taken away."""
        name = self._choose([field.name for field in message.DESCRIPTOR.fields])
        field = message.DESCRIPTOR.fields_by_name[name]
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            self._spoil_map(message, field)
        elif field.message_type is None:
            self._spoil_scalar(message, field)
        elif field.is_repeated:
            self._spoil_or_leave(getattr(message, field.name).add())
        elif message.HasField(field.name) and self._choose((True, False, False)):
            message.ClearField(field.name)
        else:
            inner = getattr(message, field.name)
            inner.SetInParent()
            self._spoil_or_leave(inner)

    def _spoil_or_leave(self, message: Message) -> None:
        if message.DESCRIPTOR.fields and self._choose((True, True, True, False)):
            self.spoil(message)

    def _spoil_map(self, message: Message, field: Any) -> None:
        key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
        if value.message_type is None:
            getattr(message, field.name)[self._value(key)] = self._value(value)

    def _spoil_scalar(self, message: Message, field: Any) -> None:
        value = self._value(field)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)

    def _value(self, field: Any) -> Any:
        if field.type == FieldDescriptor.TYPE_STRING:
            return self._text(field.name)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return self._choose((b"", b"\xff\xfe", b"\0", b"x" * 5000))
        if field.type == FieldDescriptor.TYPE_BOOL:
            return True
        if field.type in WIDTHS:
            low, high = WIDTHS[field.type]
            return self._choose([number for number in NUMBERS if low <= number <= high])
        return self._choose((0.0, -1.0, struct.unpack("<f", b"\xff\xff\x7f\x7f")[0], float("nan")))

    def _text(self, name: str) -> str:
        if name in HOST_PATHS:
            return str(self._choose(self._paths))
        if name == "cgroup_parent":
            return str(self._choose(self._parents))
        letters = st.characters(codec="utf-8", exclude_characters="/")
        return str(self._data.draw(st.sampled_from(TEXTS) | st.text(letters, max_size=20)))

    def _choose(self, values: Sequence[Any]) -> Any:
        return self._data.draw(st.sampled_from(values))
