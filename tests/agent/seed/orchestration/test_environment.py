from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.seed.orchestration.environment import container_environment, expand
from tests.agent.seed.build import context

OBJECTS = """\
{apiVersion: v1, kind: ConfigMap, metadata: {name: m}, data: {one: '1', two: '2'}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {key: hush, two: two of s}}
"""


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$(A)", "x"),
        ("a$(A)b$(A)", "axbx"),
        ("$(NO)", "$(NO)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$x"),
        ("$$$$", "$$"),
        ("$A", "$A"),
        ("$(A", "$(A"),
        ("$", "$"),
        ("$()", "$()"),
        ("$(B)", "$(A)"),
    ],
)
def test_expansion(text: str, result: str) -> None:
    assert expand(text, {"A": "x", "B": "$(A)"}) == result


@given(st.text(alphabet="$()AB x", max_size=40))
def test_expansion_without_variables_only_folds_dollars(text: str) -> None:
    assert expand(text, {}).count("$") <= text.count("$")
    assert expand(text.replace("$", "$$"), {"A": "no"}) == text


def environment(container: str, **more: str) -> dict[str, str | bytes]:
    pod = context(container=container, objects=OBJECTS, **more)
    return container_environment(pod, pod.pod.spec.containers[0], ("10.0.0.5", "fd00::5"))


def test_values_see_what_stands_before_them() -> None:
    variables = environment("env: [{name: A, value: $(B)}, {name: B, value: b}, {name: C, value: $(B)$(A)}]")
    assert variables == {"A": "$(B)", "B": "b", "C": "b$(B)"}


def test_env_from_comes_first_and_later_sources_win() -> None:
    variables = environment(
        "envFrom: [{configMapRef: {name: m}}, {secretRef: {name: s}}, {prefix: P_, configMapRef: {name: m}}], "
        "env: [{name: one, value: mine}, {name: D, value: $(two)}]"
    )
    expected = {"one": "mine", "two": b"two of s", "key": b"hush", "P_one": b"1", "P_two": b"2", "D": "two of s"}
    assert variables == expected


def test_keys_and_what_is_optional() -> None:
    variables = environment(
        "env: [{name: A, valueFrom: {configMapKeyRef: {name: m, key: one}}}, "
        "{name: B, valueFrom: {secretKeyRef: {name: s, key: none, optional: true}}}, "
        "{name: C, valueFrom: {secretKeyRef: {name: none, key: none, optional: true}}}], "
        "envFrom: [{secretRef: {name: none, optional: true}}]"
    )
    assert variables == {"A": b"1"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "default"),
        ("metadata.uid", "u-1"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['x.io/y']", "z"),
        ("spec.nodeName", "node-1"),
        ("spec.serviceAccountName", "default"),
        ("status.hostIP", "192.0.2.7"),
        ("status.podIP", "10.0.0.5"),
        ("status.podIPs", "10.0.0.5,fd00::5"),
    ],
)
def test_fields(path: str, value: str) -> None:
    reference = f'env: [{{name: F, valueFrom: {{fieldRef: {{fieldPath: "{path}"}}}}}}]'
    metadata = "labels: {app: web}, annotations: {x.io/y: z}"
    assert environment(reference, metadata=metadata) == {"F": value}


def test_a_pod_on_the_hosts_network_has_the_hosts_address() -> None:
    reference = "env: [{name: F, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]"
    assert environment(reference, spec="hostNetwork: true") == {"F": "192.0.2.7"}


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("{resource: limits.cpu}", "2"),
        ("{resource: limits.cpu, divisor: 1m}", "1500"),
        ("{resource: requests.cpu, divisor: 1m}", "250"),
        ("{resource: limits.memory}", "8589934592"),
        ("{resource: limits.memory, divisor: 1Gi}", "8"),
        ("{resource: requests.memory}", "0"),
        ("{resource: limits.cpu, containerName: c}", "2"),
    ],
)
def test_resources(reference: str, value: str) -> None:
    container = (
        "resources: {limits: {cpu: 1500m}, requests: {cpu: 250m}}, "
        f"env: [{{name: R, valueFrom: {{resourceFieldRef: {reference}}}}}]"
    )
    assert environment(container) == {"R": value}


def test_binary_data_never_becomes_a_variable() -> None:
    binary = "{apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {text: a}, binaryData: {raw: AAE=}}"
    pod = context(
        container="envFrom: [{configMapRef: {name: b}}], "
        "env: [{name: A, valueFrom: {configMapKeyRef: {name: b, key: raw, optional: true}}}]",
        objects=binary,
    )
    assert container_environment(pod, pod.pod.spec.containers[0], ()) == {"text": b"a"}
