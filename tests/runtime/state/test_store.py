"""Watchers of a store, and its generation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.runtime.model.base import Value
from podwright.runtime.state import Database, Store


class Thing(Value, frozen=True, kw_only=True):
    """A record."""

    id: str
    size: int
    owner: str = ""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store[Thing]]:
    """A store with one record."""
    database = Database(str(tmp_path))
    made = Store(
        database, Thing, table="things", label="thing", id_of=lambda thing: thing.id, name_of=lambda thing: (thing.id,)
    )
    made.put(Thing(id="a", size=1))
    yield made
    database.close()


def test_watchers_see_each_change_when_everybody_can(store: Store[Thing]) -> None:
    seen: list[tuple[Thing | None, Thing | None, bool]] = []
    store.watchers.append(lambda old, new: seen.append((old, new, store.find("a") is (new or None))))
    first = store.get("a")
    second = store.put(Thing(id="a", size=2))
    third = store.observe(Thing(id="a", size=3))
    store.delete("a")
    store.delete("a")
    assert seen == [(first, second, True), (second, third, True), (third, None, True)]


def test_the_generation_grows_with_every_change(store: Store[Thing]) -> None:
    generations = [store.generation]
    for change in (
        lambda: store.put(Thing(id="a", size=1)),
        lambda: store.put(Thing(id="b", size=1)),
        lambda: store.delete("b"),
    ):
        change()
        generations.append(store.generation)
    assert generations == sorted(set(generations))
    store.delete("b")
    store.find("a")
    assert store.generation == generations[-1]


def test_records_are_found_by_their_group_too(tmp_path: Path) -> None:
    database = Database(str(tmp_path))
    try:
        for _ in range(2):  # the second time they come from the disk
            store = Store(
                database,
                Thing,
                table="things",
                label="thing",
                id_of=lambda thing: thing.id,
                name_of=lambda thing: (thing.id,),
                group_of=lambda thing: thing.owner,
            )
            for key, owner in (("b", "one"), ("a", "one"), ("c", "two")):
                store.put(Thing(id=key, size=1, owner=owner))
            changed = store.put(Thing(id="b", size=2, owner="one"))
            assert sorted(store.group("one"), key=lambda thing: thing.id) == [store.get("a"), changed]
            assert [thing.id for thing in store.group("two")] == ["c"]
            assert store.group("nobody") == []
        store.delete("c")
        assert store.group("two") == []
    finally:
        database.close()


def test_stores_of_one_database_share_its_clock(tmp_path: Path) -> None:
    database = Database(str(tmp_path))
    try:
        stores = [
            Store(
                database,
                Thing,
                table=f"{label}s",
                label=label,
                id_of=lambda thing: thing.id,
                name_of=lambda thing: (thing.id,),
            )
            for label in ("thing", "other")
        ]
        times = [store.now() for _ in range(100) for store in stores]
    finally:
        database.close()
    assert times == sorted(set(times))
