"""JSON to objects and back as Go's reader and writer do it."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.k8s.codec import decode, encode, from_document, to_document
from podwright.k8s.objects import (
    ConfigMap,
    Container,
    ContainerPort,
    Deployment,
    Lease,
    LeaseSpec,
    ObjectMeta,
    Pod,
    PodList,
    PodSecurityContext,
    PodSpec,
    Secret,
    SecurityContext,
)
from podwright.k8s.objects.base import ApiObject, MicroTime
from tests.k8s.samples import POD, POD_JSON


def test_a_pod_of_the_api_server_is_read() -> None:
    pod = decode(POD_JSON, Pod)
    web = pod.spec.containers[0]
    assert pod.metadata.name == "web-7d4b9c6f5-x2x8q"
    assert pod.metadata.creation_timestamp == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert web.ports == (ContainerPort(name="http", container_port=8080, protocol="TCP"),)
    assert web.liveness_probe is not None
    assert web.liveness_probe.http_get is not None
    port: int | str = web.liveness_probe.http_get.port
    assert port == "http"
    assert web.security_context is not None
    assert web.security_context.run_as_user == 0
    assert web.security_context.run_as_group is None
    assert web.lifecycle is not None
    assert web.lifecycle.pre_stop is not None
    assert web.lifecycle.pre_stop.exec is not None
    assert web.resources.requests == {"cpu": "100m", "memory": "256Mi"}
    assert pod.spec.security_context == PodSecurityContext()
    assert pod.status.host_ip == "192.0.2.10"
    assert pod.status.conditions[0].last_probe_time is None


def test_what_is_encoded_is_what_was_decoded() -> None:
    expected = json.loads(POD_JSON)
    del expected["spec"]["fieldOfTheFuture"], expected["status"]["conditions"][0]["lastProbeTime"]
    assert json.loads(encode(decode(POD_JSON, Pod))) == expected


def test_zero_and_absent_differ_where_they_do_in_go() -> None:
    assert to_document(SecurityContext(run_as_user=0, privileged=False)) == {"runAsUser": 0, "privileged": False}
    assert to_document(ContainerPort(container_port=1, host_port=0, name="")) == {"containerPort": 1}
    assert to_document(PodSpec(containers=(), restart_policy="", volumes=())) == {"containers": []}


def test_an_object_says_what_it_is() -> None:
    pod = Pod(metadata=ObjectMeta(name="a"), spec=PodSpec(containers=(Container(name="c"),)))
    expected = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}]}}
    assert to_document(pod) == expected
    assert json.loads(encode(pod)) == expected
    assert to_document(Lease())["apiVersion"] == "coordination.k8s.io/v1"


def test_a_lease_has_six_digits_of_a_second() -> None:
    lease = Lease(spec=LeaseSpec(renew_time=MicroTime(2026, 3, 1, 10, tzinfo=UTC)))
    assert json.loads(encode(lease))["spec"] == {"renewTime": "2026-03-01T10:00:00.000000Z"}
    assert decode(encode(lease), Lease).spec == lease.spec


def test_base64_is_bytes() -> None:
    secret = decode(b'{"data": {"a": "AAEC", "b": "QU\\nJD\\n", "c": null}}', Secret)
    assert secret.data == {"a": b"\x00\x01\x02", "b": b"ABC", "c": b""}
    assert json.loads(encode(Secret(data={"a": b"\x00"})))["data"] == {"a": "AA=="}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ('{"items": null}', PodList(items=())),
        ('{"data": null, "metadata": null}', ConfigMap()),
        ('{"data": {"a": null}}', ConfigMap(data={"a": ""})),
        (
            '{"spec": {"containers": [{"name": "c", "args": [null], "resources": {"limits": {"cpu": 1.5}}}, null]}}',
            {
                "spec": {
                    "containers": [{"name": "c", "args": [""], "resources": {"limits": {"cpu": "1.5"}}}, {"name": ""}]
                }
            },
        ),
        (
            '{"spec": {"template": {"metadata": {"creationTimestamp": null}}}}',
            {"spec": {"selector": {}, "template": {"metadata": {}, "spec": {"containers": []}}}},
        ),
    ],
)
def test_nulls_and_missing_fields_are_zero_values(document: str, expected: object) -> None:
    if isinstance(expected, ApiObject):
        assert decode(document, type(expected)) == expected
    else:
        found = to_document(decode(document, Deployment if "template" in document else Pod))
        assert {"spec": found["spec"]} == expected


def test_documents_are_read_as_json_is() -> None:
    assert from_document(POD, Pod) == decode(POD_JSON, Pod)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "not JSON"),
        (b"\xff", "not JSON"),
        ('{"spec": {"containers": [{"name": 1}]}}', r"spec\.containers\[0\]\.name: Expected str, got int"),
        ('{"spec": []}', "spec: Expected object, got array"),
        ("[]", "Pod: Expected object, got array"),
        ('{"metadata": {"creationTimestamp": "yesterday"}, "spec": {}}', r"metadata\.creationTimestamp"),
    ],
)
def test_what_is_wrong_is_named(document: str | bytes, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        decode(document, Pod)


@given(
    data=st.one_of(
        st.binary(max_size=40),
        st.sampled_from([b"[+]ping ok", b"7x", b'"a', b"nul", b"[1,", b"\xff", b"[" * 9999, b'{"data":' * 9999]),
    )
)
def test_what_is_not_json_is_refused_whatever_it_begins_like(data: bytes) -> None:
    with contextlib.suppress(InvalidArgument):
        decode(data, ConfigMap)
