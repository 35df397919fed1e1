"""What is on record of a container that conmon holds."""

from __future__ import annotations

from typing import Self, TypeVar

import msgspec

from podwright.runtime.handlers.protocol import HandlerRecord

Record = TypeVar("Record", bound=msgspec.Struct)


class OciRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The monitor, which its start time tells from a later process with the same number, and the first process."""

    monitor_pid: int = 0
    monitor_start_time: int = 0
    pid: int = 0

    @classmethod
    def read(cls, record: HandlerRecord) -> Self:
        """The record from its stored form. An empty one means that nothing was started."""
        return _read(record, cls)

    def stored(self) -> HandlerRecord:
        """As it is stored."""
        builtins: HandlerRecord = msgspec.to_builtins(self)
        return builtins


class OciSandboxRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The first process of a pod, which its start time tells from a later process with the same number."""

    pid: int = 0
    start_time: int = 0

    @classmethod
    def read(cls, record: HandlerRecord) -> Self:
        """The record from its stored form."""
        return _read(record, cls)


def _read(record: HandlerRecord, kind: type[Record]) -> Record:
    """What cannot be read is an empty one: another package's handler wrote it, which is not there any more."""
    try:
        return msgspec.convert(record, kind)
    except msgspec.ValidationError:
        return kind()
