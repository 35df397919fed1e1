"""Calls as HTTP requests."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.k8s.client import patch, requests
from podwright.k8s.client.protocol import Paging, RawRequest, Selection, Watching
from podwright.k8s.client.requests import Place, object_place
from podwright.k8s.objects import (
    ConfigMap,
    DeleteOptions,
    Lease,
    Node,
    ObjectMeta,
    Pod,
    PodSpec,
    TokenRequest,
    TokenReview,
    TokenReviewSpec,
)

PLACES = {
    "/api/v1/nodes/n1": object_place(Node, "n1", ""),
    "/api/v1/nodes/n1/status": object_place(Node, "n1", "", "status"),
    "/api/v1/namespaces/a/pods/b/ephemeralcontainers": object_place(Pod, "b", "a", "ephemeralcontainers"),
    "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n1": object_place(Lease, "n1", "kube-node-lease"),
    "/api/v1/pods": Place(kind=Pod),
    "/api/v1/namespaces/a/pods": Place(kind=Pod, namespace="a"),
}


@pytest.mark.parametrize("path", PLACES)
def test_paths(path: str) -> None:
    assert PLACES[path].path() == path


def query(target: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}


def test_lists() -> None:
    chosen = Selection(namespace="a", labels="x in (y)", fields="spec.nodeName=n1")
    first = requests.list_page(Pod, chosen, Paging(limit=5, resource_version="7"))
    assert query(first.target) == {
        "labelSelector": "x in (y)",
        "fieldSelector": "spec.nodeName=n1",
        "limit": "5",
        "resourceVersion": "7",
        "resourceVersionMatch": "NotOlderThan",
    }
    # The token holds the version: a server refuses both.
    assert query(requests.list_page(Pod, chosen, Paging(more="t", resource_version="7")).target)["continue"] == "t"
    assert "resourceVersion" not in requests.list_page(Pod, chosen, Paging(more="t", resource_version="7")).target


def test_watches() -> None:
    plain = query(requests.watch(Pod, Selection(), Watching(resource_version="7", lifetime_s=0.2)).target)
    assert plain == {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "1", "resourceVersion": "7"}
    initial = query(requests.watch(Pod, Selection(), Watching(initial_events=True)).target)
    assert (initial["sendInitialEvents"], initial["resourceVersionMatch"]) == ("true", "NotOlderThan")
    assert "resourceVersion" not in initial


def test_writes() -> None:
    made = requests.create(ConfigMap(metadata=ObjectMeta(name="b", namespace="a"), data={"x": "1"}))
    assert (made.method, made.target, made.what) == (
        "POST",
        "/api/v1/namespaces/a/configmaps",
        "create configmaps a/b",
    )
    assert b'"kind":"ConfigMap"' in made.body
    changed = requests.patch(object_place(Node, "n", ""), patch.apply(Node(), manager="m", force=True))
    assert query(changed.target) == {"fieldManager": "m", "force": "true"}
    assert changed.content_type == "application/apply-patch+yaml"
    gone = requests.delete(object_place(Pod, "b", "a"), DeleteOptions(grace_period_seconds=0))
    assert b'"gracePeriodSeconds":0' in gone.body


def test_what_cannot_be_asked() -> None:
    with pytest.raises(InvalidArgument, match="pods: a namespace is needed"):
        requests.create(Pod(metadata=ObjectMeta(name="a"), spec=PodSpec(containers=())))
    with pytest.raises(InvalidArgument, match="keeps no objects of the kind TokenRequest"):
        Place(kind=TokenRequest).path()


def test_a_review_has_no_namespace() -> None:
    review = requests.create(TokenReview(spec=TokenReviewSpec(token="t")))
    assert review.target == "/apis/authentication.k8s.io/v1/tokenreviews"


@given(name=st.text(min_size=1, max_size=20))
def test_a_name_is_one_part_of_the_path_or_refused(name: str) -> None:
    try:
        path = object_place(ConfigMap, name, "a").path()
    except InvalidArgument:
        assert name in (".", "..") or "/" in name or "%" in name
        return
    assert path.count("/") == 6
    assert not set(path) & set("?# \r\n")


def test_a_raw_path_keeps_its_form() -> None:
    request = requests.raw(RawRequest(path="/a b/c", query={"x": "1&2"}))
    assert request.target == "/a%20b/c?x=1%262"
