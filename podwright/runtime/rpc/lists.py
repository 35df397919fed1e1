"""List replies as bytes: every record is encoded once, and a reply concatenates the encoded records.

A kubelet lists all pods and containers once a second, and almost always nothing has changed. A message with one
repeated field is the concatenation of messages that hold one element each (protobuf encoding, "Last One Wins"). The
unary reply and the streamed reply of a pair use the same number for that field. So the same bytes serve both, for any
filter. Records are immutable, so the bytes are valid as long as the record is the same object.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message

BATCH_ITEMS = 5000
BATCH_BYTES = 4 * 1024 * 1024  # the default limit of a gRPC client


class Identified(Protocol):
    """A record with an id."""

    @property
    def id(self) -> str: ...


Record = TypeVar("Record", bound=Identified)
Matcher = Callable[[Record], bool]


class ListReplies(Generic[Record]):
    """Replies about one kind of record, for an RPC family with List and Stream methods."""

    def __init__(
        self,
        records: Callable[[], Iterable[Record]],
        generation: Callable[[], object],
        reply_of: Callable[[Record], Message],
    ) -> None:
        """`records` returns the records to show, in order. It is called when `generation` returns another value.

        `reply_of` makes a reply that lists one record.
        """
        self._records = records
        self._generation = generation
        self._reply_of = reply_of
        self._seen: object = None
        self._encoded: dict[str, tuple[Record, bytes]] = {}
        self._whole = b""

    def reply(self, wanted: Matcher[Record] | None) -> bytes:
        """The unary reply. None selects all records."""
        self._refresh()
        return self._whole if wanted is None else b"".join(self._matching(wanted))

    async def batches(self, wanted: Matcher[Record] | None) -> AsyncGenerator[bytes, None]:
        """The streamed replies: the records at the time of the call, in messages of a bounded size.

        Without records there is no message.
        """
        self._refresh()
        for message in packed(list(self._matching(wanted))):
            yield message

    def _matching(self, wanted: Matcher[Record] | None) -> Iterable[bytes]:
        return (item for record, item in self._encoded.values() if wanted is None or wanted(record))

    def _refresh(self) -> None:
        """Encode new records and drop removed ones."""
        generation = self._generation()
        if generation == self._seen:
            return
        known = self._encoded
        self._encoded = {}
        for record in self._records():
            entry = known.get(record.id)
            if entry is None or entry[0] is not record:
                entry = (record, self._reply_of(record).SerializeToString())
            self._encoded[record.id] = entry
        self._whole = b"".join(item for _, item in self._encoded.values())
        self._seen = generation


def packed(replies: Iterable[bytes]) -> Iterator[bytes]:
    """Join replies of one element each into messages of a bounded size. Without replies there is no message."""
    batch: list[bytes] = []
    room_bytes = BATCH_BYTES
    for reply in replies:
        if batch and (len(batch) == BATCH_ITEMS or len(reply) > room_bytes):
            yield b"".join(batch)
            batch, room_bytes = [], BATCH_BYTES
        batch.append(reply)
        room_bytes -= len(reply)
    if batch:
        yield b"".join(batch)
