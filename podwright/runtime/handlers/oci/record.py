"""What is on record of a container that conmon holds."""

from __future__ import annotations

from typing import Self

import msgspec

from podwright.runtime.handlers.protocol import HandlerRecord


class OciRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The monitor, which its start time tells from a later process with the same number, and the first process."""

    monitor_pid: int = 0
    monitor_start_time: int = 0
    pid: int = 0

    @classmethod
    def read(cls, record: HandlerRecord) -> Self:
        """The record from its stored form. An empty one means that nothing was started."""
        return msgspec.convert(record, cls)

    def stored(self) -> HandlerRecord:
        """As it is stored."""
        builtins: HandlerRecord = msgspec.to_builtins(self)
        return builtins


class OciSandboxRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The first process of a pod, which its start time tells from a later process with the same number."""

    pid: int
    start_time: int
