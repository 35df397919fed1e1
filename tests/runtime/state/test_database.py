"""Records survive, roots have one owner, and a full or foreign database says so."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition, Internal, InvalidArgument, NotFound, ResourceExhausted
from podwright.runtime.model.base import Value
from podwright.runtime.state import Database, RecordTable, Store


class Thing(Value, frozen=True, kw_only=True):
    """A record of the tests."""

    id: str
    name: str
    size: int = 0


def _store(database: Database) -> Store[Thing]:
    return Store(database, Thing, table="things", label="thing", id_of=lambda t: t.id, name_of=lambda t: (t.name,))


def test_records_outlive_the_daemon(tmp_path: Path) -> None:
    database = Database(str(tmp_path))
    store = _store(database)
    store.put(Thing(id="aa", name="one"))
    store.put(Thing(id="ab", name="two", size=1))
    store.put(Thing(id="ab", name="two", size=2))
    store.delete("aa")
    store.delete("absent")
    database.close()
    again = _store(Database(str(tmp_path)))
    assert list(again) == [Thing(id="ab", name="two", size=2)]
    assert again.named(("two",)) == Thing(id="ab", name="two", size=2)
    assert again.named(("one",)) is None


def test_second_owner_of_a_root_is_refused(tmp_path: Path) -> None:
    first = Database(str(tmp_path))
    with pytest.raises(FailedPrecondition, match="another podwright"):
        Database(str(tmp_path))
    first.close()
    Database(str(tmp_path)).close()


def test_transactions_are_all_or_nothing_and_nest(tmp_path: Path) -> None:
    database = Database(str(tmp_path))
    table = RecordTable(database, "things", Thing)

    def half_done() -> None:
        with database.transaction():
            table.put("a", Thing(id="a", name="a"))
            with database.transaction():
                table.put("b", Thing(id="b", name="b"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_done()
    assert table.load() == {}
    with database.transaction():
        table.put("a", Thing(id="a", name="a"))
    assert list(table.load()) == ["a"]
    database.close()


def test_newer_format_is_refused(tmp_path: Path) -> None:
    Database(str(tmp_path)).close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(FailedPrecondition, match="format 99"):
        Database(str(tmp_path))


def test_garbage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(FailedPrecondition, match="cannot read the state database"):
        Database(str(tmp_path))


def test_record_that_does_not_decode(tmp_path: Path) -> None:
    database = Database(str(tmp_path))
    table = RecordTable(database, "things", Thing)
    database.execute("INSERT INTO things VALUES ('x', '{}')")
    with pytest.raises(Internal, match="things"):
        table.load()
    database.close()


def test_full_disk_changes_nothing(tmp_path: Path) -> None:
    database = Database(str(tmp_path))
    store = _store(database)
    store.put(Thing(id="a", name="small"))
    database.execute("PRAGMA max_page_count=10")
    with pytest.raises(ResourceExhausted, match="full"):
        store.put(Thing(id="b", name="x" * 1_000_000))
    assert store.find("b") is None
    assert len(store) == 1
    database.close()


def test_what_has_happened_is_shown_although_the_disk_is_full(tmp_path: Path) -> None:
    database = Database(str(tmp_path))
    store = _store(database)
    database.execute("PRAGMA max_page_count=10")
    seen = store.observe(Thing(id="a", name="x" * 1_000_000))
    assert store.get("a") == seen
    database.close()


def test_room_for_small_changes_is_kept_over_restarts(tmp_path: Path) -> None:
    for _ in range(2):
        database = Database(str(tmp_path))
        log = tmp_path / "state.db-wal"
        assert log.stat().st_blocks * 512 >= 4 << 20
        ((pages,),) = database.execute("PRAGMA freelist_count")
        assert pages in range(128, 140)
        database.close()
        assert (tmp_path / "state.db-spare").stat().st_blocks * 512 >= 4 << 20


def test_look_up_by_prefix(tmp_path: Path) -> None:
    database = Database(str(tmp_path))
    store = _store(database)
    for key in ("abc1", "abc2", "abd"):
        store.put(Thing(id=key, name=key))
    assert store.get("abd").id == store.get("abc1").id[:2] + "d"
    assert store.find("zz") is None
    with pytest.raises(NotFound, match="zz"):
        store.get("zz")
    for bad in ("", "abc"):
        with pytest.raises(InvalidArgument):
            store.find(bad)
    database.close()


def test_times_strictly_increase(tmp_path: Path) -> None:
    database = Database(str(tmp_path))
    store = _store(database)
    times = [store.now() for _ in range(1000)]
    assert times == sorted(set(times))
    database.close()
