"""Versions, history and what watches see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.conformance.patience import patient
from tests.harness.apiserver.documents import Document, Filter, read_filter
from tests.harness.apiserver.failures import ApiError
from tests.harness.apiserver.store import FIRST_VERSION, Key, Store

PODS = "v1/pods"
ALL = Filter()


def key(name: str) -> Key:
    return Key(resource=PODS, namespace="n", name=name)


def pod(name: str, node: str = "", **labels: str) -> Document:
    return {"metadata": {"name": name, "namespace": "n", "labels": labels}, "spec": {"nodeName": node}}


def seen(store: Store, version: int, chosen: Filter = ALL) -> list[tuple[str, str, int]]:
    return [(kind, document["metadata"]["name"], at) for kind, document, at in store.since(version, PODS, chosen)]


def test_every_change_has_a_version_and_what_changes_nothing_has_none() -> None:
    store = Store()
    first = store.put(key("a"), pod("a"))
    assert store.put(key("a"), pod("a")) is first
    store.put(key("a"), pod("a", "n1"))
    store.remove(key("a"))
    assert seen(store, FIRST_VERSION) == [("ADDED", "a", 101), ("MODIFIED", "a", 102), ("DELETED", "a", 103)]
    assert seen(store, 102) == [("DELETED", "a", 103)]


def test_an_object_comes_into_a_selection_and_leaves_it() -> None:
    store = Store()
    mine = read_filter("", "", "spec.nodeName=n1")
    for node in ("n2", "n1", "n1", "n2"):
        store.put(key("a"), {**pod("a", node), "x": store.version})
    assert [kind for kind, _, _ in seen(store, FIRST_VERSION, mine)] == ["ADDED", "MODIFIED", "DELETED"]


def test_what_is_forgotten_is_expired_and_the_future_is_too_large() -> None:
    store = Store()
    store.put(key("a"), pod("a"))
    store.compact()
    with pytest.raises(ApiError) as caught:
        seen(store, FIRST_VERSION)
    assert caught.value.code == 410
    assert seen(store, store.version) == []
    with pytest.raises(ApiError) as caught:
        store.check_not_older(store.version + 1)
    assert caught.value.status()["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_a_new_history_counts_anew() -> None:
    store = Store()
    for number in range(9):
        store.put(key("a"), pod("a", str(number)))
    store.reset(empty=False)
    found = store.get(key("a"))
    assert found is not None
    assert found["metadata"]["resourceVersion"] == str(FIRST_VERSION + 1)
    store.reset(empty=True)
    assert store.get(key("a")) is None


async def test_changes_are_told_to_all_who_wait() -> None:
    store = Store()
    waiting = [asyncio.create_task(store.changed(10)) for _ in range(3)]
    await asyncio.sleep(0)
    store.put(key("a"), pod("a"))
    await asyncio.wait_for(asyncio.gather(*waiting), patient(60))
    await store.changed(0.01)


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "n1", "n2", "gone"])), max_size=30)


@given(steps=STEPS, start=st.integers(0, 30))
def test_events_after_a_list_lead_to_the_next_list(steps: list[tuple[str, str]], start: int) -> None:
    store, mine = Store(), read_filter("", "", "spec.nodeName=n1")
    state: dict[str, Any] = {}
    version = store.version
    for number, (name, node) in enumerate(steps):
        if number == start:
            state = {each["metadata"]["name"]: each for each in store.list(PODS, mine)}
            version = store.version
        if node != "gone":
            store.put(key(name), pod(name, node))
        elif store.get(key(name)) is not None:
            store.remove(key(name))
    for kind, document, _ in store.since(version, PODS, mine):
        if kind == "DELETED":
            del state[document["metadata"]["name"]]
        else:
            state[document["metadata"]["name"]] = document
    assert state == {each["metadata"]["name"]: each for each in store.list(PODS, mine)}


@pytest.mark.parametrize(
    ("labels", "fields", "takes"),
    [
        ("", "", True),
        ("app=web", "", True),
        ("app!=web", "", False),
        ("app in (a, web),!gone", "", True),
        ("", "metadata.name=a", True),
        ("", "metadata.name!=a", False),
        ("", "spec.nodeName==n1,metadata.namespace=n", True),
        ("", "status.phase=", True),
        ("", "spec.nodeName=n2", False),
    ],
)
def test_selectors(labels: str, fields: str, takes: bool) -> None:
    assert read_filter("", labels, fields).takes(pod("a", "n1", app="web")) is takes


@pytest.mark.parametrize("act", [lambda: read_filter("", "", "a"), lambda: read_filter("", "", "=b")])
def test_field_selectors_that_make_no_sense(act: Callable[[], object]) -> None:
    with pytest.raises(ApiError):
        act()
