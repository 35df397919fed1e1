"""A watch's bytes as changes, however they are cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import PodwrightError, Unavailable
from podwright.k8s.client.changes import WatchLines, read_change
from podwright.k8s.client.failures import Garbled, Gone, TooManyRequests
from podwright.k8s.client.protocol import Change, ChangeType
from podwright.k8s.objects import ConfigMap, Pod

TEXT = st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"."))


@given(lines=st.lists(TEXT, max_size=8), rest=TEXT, cuts=st.lists(st.integers(0, 600), max_size=12))
def test_pieces_of_any_size_give_the_same_lines(lines: list[bytes], rest: bytes, cuts: list[int]) -> None:
    whole = b"".join(line + b"\n" for line in lines) + rest
    found, reader = [], WatchLines()
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    for begin, end in pairwise(places):
        found += list(reader.feed(whole[begin:end]))
    assert found == [line for line in lines if line]
    assert reader.rest() == rest


def test_a_line_without_end_is_refused() -> None:
    reader = WatchLines(limit_bytes=10)
    assert list(reader.feed(b"123456\n789")) == [b"123456"]
    with pytest.raises(Garbled):
        list(reader.feed(b"12345678"))


def line(kind: str, document: Any) -> bytes:
    return json.dumps({"type": kind, "object": document}).encode()


def test_changes_and_bookmarks() -> None:
    document = {"metadata": {"name": "a", "resourceVersion": "7"}, "data": {"x": "1"}, "novelty": 1}
    change = read_change(line("MODIFIED", document), ConfigMap, "watch")
    assert (change.type, change.resource_version) == (ChangeType.MODIFIED, "7")
    assert change.object is not None
    assert change.object.data == {"x": "1"}
    # A bookmark's object is no valid one of its kind.
    mark = {
        "metadata": {"resourceVersion": "9", "creationTimestamp": None},
        "spec": {"containers": None},
        "status": {},
    }
    assert read_change(line("BOOKMARK", mark), Pod, "watch") == Change(
        type=ChangeType.BOOKMARK, object=None, resource_version="9"
    )
    mark["metadata"]["annotations"] = {"k8s.io/initial-events-end": "true"}  # type: ignore[index]
    assert read_change(line("BOOKMARK", mark), Pod, "watch").initial_end


def test_an_error_is_raised_as_the_failure_that_it_is() -> None:
    for code, failure in ((410, Gone), (429, TooManyRequests), (500, Unavailable)):
        status = {"kind": "Status", "status": "Failure", "message": "m", "code": code}
        with pytest.raises(failure, match="cannot watch pods: m"):
            read_change(line("ERROR", status), Pod, "watch pods")


def test_an_event_that_is_nested_too_deeply_is_garbled() -> None:
    depth = 200_000
    with pytest.raises(Garbled):
        read_change(b'{"type":"ADDED","object":{"spec":%s%s}}' % (b"[" * depth, b"]" * depth), Pod, "watch")


@given(
    data=st.one_of(
        st.binary(max_size=80),
        st.builds(
            line,
            st.sampled_from(["ADDED", "ERROR", "X"]),
            st.recursive(
                st.none() | st.integers() | st.text(max_size=5),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
                max_leaves=5,
            ),
        ),
    )
)
def test_anything_else_is_garbled(data: bytes) -> None:
    try:
        change = read_change(data, Pod, "watch")
    except PodwrightError:
        return
    assert change.object is not None
