"""Records of one kind in memory, backed by their table, with look-up by id, unique id prefix, name or group.

Records are replaced, never mutated. `put` commits before it returns. A watcher sees every change, whichever service
makes it. All calls run on the event loop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec

from podwright.errors import InvalidArgument, NotFound, ResourceExhausted
from podwright.runtime.state.database import Database, RecordTable

log = logging.getLogger(__name__)

Record = TypeVar("Record", bound=msgspec.Struct)

ID_LENGTH = 64  # the length of our ids: a text of this length is not a prefix

Name = tuple[str | int, ...]
Watcher = Callable[[Record | None, Record | None], None]  # (before, after) of one record; None: absent


class Store(Generic[Record]):
    """`label` names the records in messages ("sandbox"). `name_of` returns a name that is unique among them.

    `group_of` returns a key that several records may share, such as a container's sandbox. It never changes.
    """

    def __init__(
        self,
        database: Database,
        kind: type[Record],
        *,
        table: str,
        label: str,
        id_of: Callable[[Record], str],
        name_of: Callable[[Record], Name],
        group_of: Callable[[Record], str] = lambda _: "",
    ) -> None:
        """Load all records of `table`."""
        self._table = RecordTable(database, table, kind)
        self._label = label
        self._id_of = id_of
        self._name_of = name_of
        self._group_of = group_of
        self._records = self._table.load()
        self._ids_by_name = {name_of(record): key for key, record in self._records.items()}
        self._groups: dict[str, dict[str, Record]] = {}
        for key, record in self._records.items():
            self._groups.setdefault(group_of(record), {})[key] = record
        self._clock = database.clock
        self.generation = 0  # grows with every change, so that caches of derived values know when they are stale
        self.watchers: list[Watcher[Record]] = []  # called after the change is visible; must not raise

    def __iter__(self) -> Iterator[Record]:
        """All records. Changes during the iteration are safe."""
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def put(self, record: Record) -> Record:
        """Insert or replace a record, and commit.

        Raises ResourceExhausted if the disk is full, and then changes nothing.
        """
        self._table.put(self._id_of(record), record)
        return self._keep(record)

    def observe(self, record: Record) -> Record:
        """As `put`, for a fact that has already happened. On a full disk it changes the record in memory alone.

        Use it only for facts that the next start detects by itself.
        """
        try:
            return self.put(record)
        except ResourceExhausted as failure:
            log.warning("record is not written to disk: %s=%s error=%s", self._label, self._id_of(record), failure)
            return self._keep(record)

    def _keep(self, record: Record) -> Record:
        key = self._id_of(record)
        before = self._records.get(key)
        self._records[key] = record
        self._ids_by_name[self._name_of(record)] = key
        self._groups.setdefault(self._group_of(record), {})[key] = record
        self._changed(before, record)
        return record

    def _changed(self, before: Record | None, after: Record | None) -> None:
        self.generation += 1
        for watcher in self.watchers:
            watcher(before, after)

    def delete(self, key: str) -> None:
        """Delete a record. An absent one succeeds."""
        self._table.delete(key)
        record = self._records.pop(key, None)
        if record is None:
            return
        if self._ids_by_name.get(self._name_of(record)) == key:
            del self._ids_by_name[self._name_of(record)]
        self._leave_group(key, record)
        self._changed(record, None)

    def _leave_group(self, key: str, record: Record) -> None:
        name = self._group_of(record)
        group = self._groups[name]
        del group[key]
        if not group:
            del self._groups[name]

    def group(self, name: str) -> list[Record]:
        """The records of one group, in no particular order."""
        return list(self._groups.get(name, {}).values())

    def named(self, name: Name) -> Record | None:
        """The record with that name, or None."""
        key = self._ids_by_name.get(name)
        return self._records.get(key) if key is not None else None

    def find(self, prefix: str) -> Record | None:
        """The record with that id or unique id prefix, or None. Raises InvalidArgument if it is empty or ambiguous."""
        record = self._records.get(prefix)
        if record is not None:
            return record
        if not prefix:
            raise InvalidArgument(f"the {self._label} id is empty")
        matches = [key for key in self._records if key.startswith(prefix)] if len(prefix) < ID_LENGTH else []
        if len(matches) > 1:
            raise InvalidArgument(f"{self._label} id {prefix[:64]} is ambiguous: {len(matches)} start with it")
        return self._records[matches[0]] if matches else None

    def get(self, prefix: str) -> Record:
        """As `find`, but raises NotFound instead of returning None."""
        record = self.find(prefix)
        if record is None:
            raise NotFound(f"{self._label} {prefix[:64]!r} does not exist")
        return record

    def now(self) -> int:
        """The time in nanoseconds, strictly increasing over all stores of the database: see `RecordClock`."""
        return self._clock.now()
