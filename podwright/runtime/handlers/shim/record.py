"""What is on record of a container that a shim holds, and of a pod's first process."""

from __future__ import annotations

from typing import Self

import msgspec

from podwright.runtime.handlers.protocol import HandlerRecord


class ShimRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The pod's shim, where it listens, and the first process.

    `pod` is what its containers have in common. `path` is empty as long as no shim has answered. `pid` is what the
    shim says. Only if it is `on_host` is it a process of this container on this host.
    """

    pod: str
    path: str = ""
    version: int = 0
    shim_pid: int = 0
    pid: int = 0
    on_host: bool = False

    @classmethod
    def read(cls, record: HandlerRecord) -> Self | None:
        """From its stored form. None for an empty one, which means that nothing was started."""
        return msgspec.convert(record, cls) if record else None

    def stored(self) -> HandlerRecord:
        """As it is kept."""
        stored: HandlerRecord = msgspec.to_builtins(self)
        return stored
