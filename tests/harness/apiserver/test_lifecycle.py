"""The rules for creating, changing and deleting objects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.harness.apiserver.documents import Document, metadata
from tests.harness.apiserver.failures import ApiError
from tests.harness.apiserver.lifecycle.changing import updated
from tests.harness.apiserver.lifecycle.creation import created
from tests.harness.apiserver.lifecycle.deletion import deleted, finished
from tests.harness.apiserver.resources import Resource, find

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


def resource(plural: str) -> Resource:
    found = find("v1", plural)
    assert found is not None
    return found


PODS, NODES, MAPS = resource("pods"), resource("nodes"), resource("configmaps")


def new_pod(**spec: Any) -> Document:
    document = {
        "metadata": {"name": "a", "labels": {"x": "1"}},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }
    made = created(document, PODS, "n", NOW)
    return {**made, "metadata": {**metadata(made), "resourceVersion": "5"}}


def test_a_new_pod_has_what_the_server_gives() -> None:
    pod = new_pod()
    data = metadata(pod)
    assert (data["namespace"], data["generation"], data["creationTimestamp"]) == ("n", 1, "2026-03-01T10:00:00Z")
    assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert pod["spec"]["restartPolicy"] == "Always"
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == "Always"


def test_unknown_fields_stay_and_wrong_ones_are_refused() -> None:
    assert new_pod(novelty={"a": 1})["spec"]["novelty"] == {"a": 1}
    with pytest.raises(ApiError) as caught:
        new_pod(nodeName=7)
    assert caught.value.code == 422


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"metadata": {}}, 422),
        ({"metadata": {"name": "A"}}, 422),
        ({"metadata": {"name": "a", "resourceVersion": "1"}}, 500),
        ({"metadata": {"name": "a", "namespace": "other"}}, 400),
    ],
)
def test_objects_that_cannot_be_made(document: Document, code: int) -> None:
    with pytest.raises(ApiError) as caught:
        created(document, MAPS, "n", NOW)
    assert caught.value.code == code


def test_a_name_is_made_and_a_nodes_status_kept() -> None:
    assert metadata(created({"metadata": {"generateName": "a-"}}, MAPS, "n", NOW))["name"].startswith("a-")
    node = created({"metadata": {"name": "n1"}, "status": {"phase": "x"}}, NODES, "", NOW)
    assert node["status"] == {"phase": "x"}


def test_status_and_spec_are_written_apart() -> None:
    pod = new_pod()
    both = {**pod, "spec": {**pod["spec"], "activeDeadlineSeconds": 9}, "status": {"phase": "Running"}}
    main, status = updated(pod, both, PODS, ""), updated(pod, both, PODS, "status")
    assert (main["spec"]["activeDeadlineSeconds"], main["status"]["phase"]) == (9, "Pending")
    assert (status["spec"], status["status"]["phase"]) == (pod["spec"], "Running")
    assert (metadata(main)["generation"], metadata(status)["generation"]) == (2, 1)


def test_labels_cannot_be_lost_by_accident_nor_the_uid_be_changed() -> None:
    pod = new_pod()
    after = updated(pod, {**pod, "metadata": {"name": "a", "labels": {}}}, PODS, "")
    assert metadata(after)["uid"] == metadata(pod)["uid"]
    assert metadata(after)["labels"] == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [({"resourceVersion": "4"}, 409), ({"uid": "other"}, 409), ({"name": "b"}, 400)],
)
def test_writes_that_are_of_another_object(change: Document, code: int) -> None:
    pod = new_pod()
    with pytest.raises(ApiError) as caught:
        updated(pod, {**pod, "metadata": {**metadata(pod), **change}}, PODS, "")
    assert caught.value.code == code


def container(pod: Document, **fields: Any) -> Document:
    return {**pod, "spec": {**pod["spec"], "containers": [{**pod["spec"]["containers"][0], **fields}]}}


def test_what_of_a_pod_may_change() -> None:
    pod, resources = new_pod(), {"limits": {"cpu": "1"}}
    assert updated(pod, container(pod, image="j"), PODS, "")["spec"]["containers"][0]["image"] == "j"
    resized = updated(pod, container(pod, resources=resources), PODS, "resize")
    assert resized["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "1"}
    more = {**pod, "spec": {**pod["spec"], "ephemeralContainers": [{"name": "e", "image": "i"}]}}
    assert updated(pod, more, PODS, "ephemeralcontainers")["spec"]["ephemeralContainers"][0]["name"] == "e"
    for wanted, subresource in ((container(pod, resources=resources), ""), (container(pod, image="j"), "resize")):
        with pytest.raises(ApiError) as caught:
            updated(pod, wanted, PODS, subresource)
        assert caught.value.code == 422


def test_an_immutable_map_stays() -> None:
    made = created({"metadata": {"name": "a"}, "data": {"a": "1"}, "immutable": True}, MAPS, "n", NOW)
    made["metadata"]["resourceVersion"] = "1"
    with pytest.raises(ApiError):
        updated(made, {**made, "data": {"a": "2"}}, MAPS, "")


@pytest.mark.parametrize(
    ("spec", "options", "grace"),
    [
        ({}, {}, None),  # no node runs it
        ({"nodeName": "n"}, {}, 30),
        ({"nodeName": "n", "terminationGracePeriodSeconds": 7}, {}, 7),
        ({"nodeName": "n"}, {"gracePeriodSeconds": 3}, 3),
        ({"nodeName": "n"}, {"gracePeriodSeconds": 0}, None),
        ({"nodeName": "n"}, {"gracePeriodSeconds": -1}, 1),
    ],
)
def test_a_pods_grace(spec: Document, options: Document, grace: int | None) -> None:
    marked = deleted(new_pod(**spec), options, PODS, NOW).marked
    assert (None if marked is None else metadata(marked)["deletionGracePeriodSeconds"]) == grace


def test_grace_is_only_shortened() -> None:
    pod = new_pod(nodeName="n")
    first = deleted(pod, {"gracePeriodSeconds": 10}, PODS, NOW).marked
    assert first is not None
    assert metadata(first)["deletionTimestamp"] == "2026-03-01T10:00:10Z"
    assert metadata(first)["generation"] == 2
    assert deleted(first, {"gracePeriodSeconds": 20}, PODS, NOW).marked == first
    shorter = deleted(first, {"gracePeriodSeconds": 5}, PODS, NOW).marked
    assert shorter is not None
    assert metadata(shorter)["deletionGracePeriodSeconds"] == 5


def test_finalizers_hold_an_object_back() -> None:
    pod = new_pod(nodeName="n")
    held = {**pod, "metadata": {**metadata(pod), "finalizers": ["f"]}}
    marked = deleted(held, {"gracePeriodSeconds": 0}, PODS, NOW).marked
    assert marked is not None
    assert not finished(marked)
    assert finished({**marked, "metadata": {**metadata(marked), "finalizers": []}})


def test_preconditions() -> None:
    pod = new_pod()
    deleted(pod, {"preconditions": {"uid": metadata(pod)["uid"], "resourceVersion": "5"}}, PODS, NOW)
    for wrong in ({"uid": "x"}, {"resourceVersion": "4"}):
        with pytest.raises(ApiError) as caught:
            deleted(pod, {"preconditions": wrong}, PODS, NOW)
        assert caught.value.code == 409
