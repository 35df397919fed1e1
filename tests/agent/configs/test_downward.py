"""The downward API: fields and resources as text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.configs.downward import DownwardFields, field_text, map_text, resource_text
from podwright.agent.configs.go_quote import quoted
from podwright.errors import InvalidArgument, NotFound
from podwright.k8s.objects import Container, ObjectFieldSelector, Pod, ResourceFieldSelector, ResourceRequirements
from tests.agent.configs.build import facts
from tests.agent.fakes.pods import container, pod

POD = pod(labels={"app.kubernetes.io/name": "a[b]c", "x": 'say "hi"\n'}, service_account_name="sa")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web"),
        ("metadata.namespace", "default"),
        ("metadata.uid", "uid-web"),
        ("metadata.labels['app.kubernetes.io/name']", "a[b]c"),
        ("metadata.labels['absent']", ""),
        ("metadata.annotations['kubernetes.io/config.source']", "api"),
        ("metadata.labels", 'app.kubernetes.io/name="a[b]c"\nx="say \\"hi\\"\\n"'),
        ("metadata.annotations", 'kubernetes.io/config.source="api"'),
        ("spec.nodeName", "node1"),
        ("spec.serviceAccountName", "sa"),
        ("status.hostIP", "192.0.2.10"),
        ("status.hostIPs", "192.0.2.10,2001:db8::10"),
        ("status.podIP", "10.0.0.1"),
        ("status.podIPs", "10.0.0.1,fd00::1"),
    ],
)
def test_fields(path: str, value: str) -> None:
    reference = ObjectFieldSelector(field_path=path)
    assert field_text(POD, reference, facts(), ("10.0.0.1", "fd00::1")) == value


def test_unknown_fields() -> None:
    for path in ("spec.restartPolicy", "spec.x['y']", "metadata", ""):
        with pytest.raises(InvalidArgument, match="unsupported fieldPath"):
            field_text(POD, ObjectFieldSelector(field_path=path), facts(), ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ä 漢", '"plain ä 漢"'),
        ('a\\"\t\r\n\a\b\f\v', '"a\\\\\\"\\t\\r\\n\\a\\b\\f\\v"'),
        ("\x00\x1f\x7f", '"\\x00\\x1f\\x7f"'),
        ("\x80\u200b\ufeff\U000e0001", '"\\u0080\\u200b\\ufeff\\U000e0001"'),
    ],
)
def test_quoting_is_gos(text: str, expected: str) -> None:
    assert quoted(text) == expected


@given(st.dictionaries(st.text("abc"), st.text()))
def test_a_line_for_every_key(values: dict[str, str]) -> None:
    lines = map_text(values).split("\n") if values else []
    assert [line.partition("=")[0] for line in lines] == sorted(values)


LIMITED = ResourceRequirements(
    limits={"cpu": "1500m", "memory": "64Mi", "hugepages-2Mi": "4Mi"},
    requests={"cpu": "250m", "memory": "1000"},
)


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", "", "2"),
        ("limits.cpu", "0", "2"),
        ("limits.cpu", "1m", "1500"),
        ("limits.cpu", "700m", "3"),
        ("requests.cpu", "1", "1"),
        ("limits.memory", "1Mi", "64"),
        ("limits.memory", "", "67108864"),
        ("requests.memory", "1Ki", "1"),
        ("limits.hugepages-2Mi", "1Mi", "4"),
        ("requests.hugepages-2Mi", "", "0"),
        ("limits.ephemeral-storage", "1Gi", "100"),  # the node's
        ("requests.ephemeral-storage", "1", "0"),
    ],
)
def test_resources(resource: str, divisor: str, value: str) -> None:
    reference = ResourceFieldSelector(resource=resource, divisor=divisor)
    own = container(resources=LIMITED)
    assert resource_text(pod(containers=(own,)), own, reference, facts()) == value


def _limit(of: Pod, own: Container, name: str = "cpu", **fields: Any) -> str:
    return resource_text(of, own, ResourceFieldSelector(resource=f"limits.{name}", **fields), facts())


def test_an_absent_limit_is_the_pods_or_the_nodes() -> None:
    own = container()
    assert _limit(pod(), own) == "4"
    assert _limit(pod(resources=ResourceRequirements(limits={"cpu": "2"})), own) == "2"
    assert _limit(pod(resources=ResourceRequirements(limits={"cpu": "2"})), own, "memory", divisor="1Gi") == "8"


def test_other_containers_by_name() -> None:
    first = container("first", resources=LIMITED)
    both = pod(containers=(first, container("second")), init_containers=(container("init", resources=LIMITED),))
    assert _limit(both, both.spec.containers[1], container_name="first") == "2"
    assert _limit(both, first, container_name="second") == "4"
    assert _limit(both, first, container_name="init") == "2"
    with pytest.raises(NotFound, match="container none not found"):
        _limit(both, first, container_name="none")


def test_unknown_resources() -> None:
    for name in ("limits.gpu", "cpu", "limits.", "other.cpu"):
        with pytest.raises(InvalidArgument, match="unsupported container resource"):
            resource_text(pod(), container(), ResourceFieldSelector(resource=name), facts())


def test_volumes_name_the_container() -> None:
    both = pod(containers=(container("first", resources=LIMITED), container("second")))
    downward = DownwardFields(facts())
    assert downward.field_text(both, ObjectFieldSelector(field_path="metadata.name")) == "web"
    assert downward.resource_text(both, ResourceFieldSelector(resource="limits.cpu", container_name="second")) == "4"
    with pytest.raises(InvalidArgument, match="a volume's needs containerName"):
        downward.resource_text(both, ResourceFieldSelector(resource="limits.cpu"))
