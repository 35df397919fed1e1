"""A watch's bytes as changes: lines of JSON, one event each. Pure, and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from podwright.errors import InvalidArgument
from podwright.k8s.client.failures import Garbled, failure_of
from podwright.k8s.client.protocol import Change, ChangeType
from podwright.k8s.codec import decode
from podwright.k8s.objects import ObjectMeta, Status
from podwright.k8s.objects.base import ApiObject, Kind

K = TypeVar("K", bound=Kind)

# An object has 1.5 MiB in etcd by default, and 8 MiB where somebody raised it; JSON is longer than what is stored.
LINE_LIMIT_BYTES = 32 * 1024 * 1024
INITIAL_END = "k8s.io/initial-events-end"


class _Frame(msgspec.Struct, gc=False):
    """The envelope. The object's type depends on the event's."""

    type: str
    object: msgspec.Raw


class _Versioned(ApiObject, frozen=True, kw_only=True):
    """What of an object tells its version. A bookmark's object has little more, and need not be valid."""

    metadata: ObjectMeta = ObjectMeta()


_TYPES = {each.value: each for each in ChangeType}
_FRAMES = msgspec.json.Decoder(_Frame)


class WatchLines:
    """Joins pieces of a stream to whole lines. Raises Garbled for a line that is too long."""

    def __init__(self, limit_bytes: int = LINE_LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._rest = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that the piece completes, without empty ones."""
        head, *lines = piece.split(b"\n")
        self._rest += head
        for line in lines:
            if self._rest:
                yield bytes(self._rest)
            self._rest = bytearray(line)
        if len(self._rest) > self._limit:
            raise Garbled(f"an event of a watch is longer than {self._limit} bytes")

    def rest(self) -> bytes:
        """The bytes that are left at the end of the stream: a line without its end, or half an event."""
        return bytes(self._rest)


def read_change(line: bytes, kind: type[K], what: str) -> Change[K]:
    """One event. Raises Garbled, and for an ERROR event the ApiFailure that it holds."""
    try:
        frame = _FRAMES.decode(line)
        change = _read(frame, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidArgument) as failure:
        raise Garbled(f"cannot {what}: an event is invalid: {failure}") from failure
    if isinstance(change, Status):
        raise failure_of(change, what)
    return change


def _read(frame: _Frame, kind: type[K]) -> Change[K] | Status:
    raw = bytes(frame.object)
    if frame.type == "ERROR":
        return decode(raw, Status)
    if frame.type not in _TYPES:
        raise InvalidArgument(f"there is no type {frame.type!r}")
    change_type = _TYPES[frame.type]
    if change_type is ChangeType.BOOKMARK:
        return _bookmark(decode(raw, _Versioned).metadata)
    obj = decode(raw, kind)
    return Change(type=change_type, object=obj, resource_version=metadata_of(obj).resource_version)


def metadata_of(obj: Kind) -> ObjectMeta:
    """An object's metadata. Every kind that a server keeps has it."""
    metadata: ObjectMeta = obj.metadata  # type: ignore[attr-defined] # `Kind` cannot say so: a Status has none
    return metadata


def _bookmark(metadata: ObjectMeta) -> Change[K]:
    return Change(
        type=ChangeType.BOOKMARK,
        object=None,
        resource_version=metadata.resource_version,
        initial_end=metadata.annotations.get(INITIAL_END) == "true",
    )
