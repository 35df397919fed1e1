"""The environment of a container: its order, its sources, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.configs.environment import EnvironmentSources, container_environment
from podwright.agent.configs.objects import PodObjects
from podwright.errors import FailedPrecondition, InvalidArgument, NotFound, PodwrightError
from podwright.k8s.objects import (
    ConfigMap,
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    FileKeySelector,
    ObjectFieldSelector,
    ObjectMeta,
    Pod,
    ResourceFieldSelector,
    Secret,
    SecretEnvSource,
    SecretKeySelector,
    Service,
    ServicePort,
    ServiceSpec,
)
from tests.agent.configs.build import facts
from tests.agent.fakes.pods import container, pod

SERVICE = Service(
    metadata=ObjectMeta(name="db", namespace="default"),
    spec=ServiceSpec(cluster_ip="10.96.0.5", ports=(ServicePort(port=5432),)),
)
OBJECTS = PodObjects(
    namespace="default",
    config_maps={"c": ConfigMap(data={"a": "1", "b": "2"})},
    secrets={"s": Secret(data={"p": b"word", "raw": b"\xff\x00"})},
    services=(SERVICE,),
)


def environment(
    *env: EnvVar,
    env_from: tuple[EnvFromSource, ...] = (),
    objects: PodObjects = OBJECTS,
    of: Pod | None = None,
    files: Mapping[str, str] | None = None,
) -> dict[str, str]:
    def file_value(reference: FileKeySelector) -> str:
        if reference.path not in (files or {}):
            raise InvalidArgument("no such file")
        return (files or {})[reference.path]

    sources = EnvironmentSources(objects=objects, facts=facts(), addresses=("10.0.0.1",), file_value=file_value)
    return container_environment(of or pod(enable_service_links=False), container(env=env, env_from=env_from), sources)


def of(**source: Any) -> EnvVarSource:
    return EnvVarSource(**source)


def test_env_overrides_env_from_and_expands_what_came_before() -> None:
    assert environment(
        EnvVar(name="a", value="own"),
        EnvVar(name="all", value="$(a)-$(P_b)-$(later)-$$(a)-$(DB_SERVICE_HOST)"),
        EnvVar(name="later", value="x"),
        env_from=(
            EnvFromSource(config_map_ref=ConfigMapEnvSource(name="c")),
            EnvFromSource(config_map_ref=ConfigMapEnvSource(name="c"), prefix="P_"),
            EnvFromSource(secret_ref=SecretEnvSource(name="s"), prefix="S_"),
        ),
        of=pod(enable_service_links=True),
    ) | {"order": ""} == {
        "a": "own",
        "b": "2",
        "P_a": "1",
        "P_b": "2",
        "S_p": "word",
        "S_raw": "\udcff\x00",
        "all": "own-2-$(later)-$(a)-10.96.0.5",
        "later": "x",
        "DB_SERVICE_HOST": "10.96.0.5",
        "DB_SERVICE_PORT": "5432",
        "DB_PORT": "tcp://10.96.0.5:5432",
        "DB_PORT_5432_TCP": "tcp://10.96.0.5:5432",
        "DB_PORT_5432_TCP_PROTO": "tcp",
        "DB_PORT_5432_TCP_PORT": "5432",
        "DB_PORT_5432_TCP_ADDR": "10.96.0.5",
        "order": "",
    }


def test_order_is_env_from_then_env_then_services() -> None:
    names = list(
        environment(
            EnvVar(name="z", value="1"),
            EnvVar(name="y", value="2"),
            env_from=(EnvFromSource(config_map_ref=ConfigMapEnvSource(name="c")),),
            of=pod(enable_service_links=True),
        )
    )
    assert names[:5] == ["a", "b", "z", "y", "DB_SERVICE_HOST"]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (of(config_map_key_ref=ConfigMapKeySelector(name="c", key="a")), "1"),
        (of(secret_key_ref=SecretKeySelector(name="s", key="p")), "word"),
        (of(secret_key_ref=SecretKeySelector(name="s", key="raw")), "\udcff\x00"),
        (of(field_ref=ObjectFieldSelector(field_path="status.podIP")), "10.0.0.1"),
        (of(resource_field_ref=ResourceFieldSelector(resource="limits.cpu")), "4"),
        (of(file_key_ref=FileKeySelector(volume_name="v", path="f", key="k")), "from file"),
        (of(), ""),
        (of(config_map_key_ref=ConfigMapKeySelector(name="c", key="no", optional=True)), None),
        (of(config_map_key_ref=ConfigMapKeySelector(name="no", key="a", optional=True)), None),
        (of(secret_key_ref=SecretKeySelector(name="s", key="no", optional=True)), None),
        (of(secret_key_ref=SecretKeySelector(name="no", key="p", optional=True)), None),
        (of(file_key_ref=FileKeySelector(volume_name="v", path="empty", key="k", optional=True)), None),
    ],
)
def test_sources(source: EnvVarSource, value: str | None) -> None:
    variables = environment(EnvVar(name="X", value_from=source), files={"f": "from file", "empty": ""})
    assert variables == ({} if value is None else {"X": value})


def test_a_value_that_came_from_a_source_is_not_expanded() -> None:
    objects = PodObjects(namespace="default", config_maps={"c": ConfigMap(data={"k": "$(A)"})})
    source = of(config_map_key_ref=ConfigMapKeySelector(name="c", key="k"))
    variables = environment(EnvVar(name="A", value="1"), EnvVar(name="B", value_from=source), objects=objects)
    assert variables == {"A": "1", "B": "$(A)"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (of(config_map_key_ref=ConfigMapKeySelector(name="no", key="a")), 'configmap "no" not found'),
        (
            of(config_map_key_ref=ConfigMapKeySelector(name="c", key="no")),
            "couldn't find key no in ConfigMap default/c",
        ),
        (of(secret_key_ref=SecretKeySelector(name="no", key="a")), 'secret "no" not found'),
        (of(secret_key_ref=SecretKeySelector(name="s", key="no")), "couldn't find key no in Secret default/s"),
        (
            of(file_key_ref=FileKeySelector(volume_name="v", path="empty", key="k")),
            'environment variable key "k" not found in file "empty"',
        ),
        (
            of(file_key_ref=FileKeySelector(volume_name="v", path="none", key="k")),
            "couldn't parse env file none: no such file",
        ),
    ],
)
def test_what_is_missing(source: EnvVarSource, message: str) -> None:
    with pytest.raises(PodwrightError) as caught:
        environment(EnvVar(name="X", value_from=source), files={"empty": ""})
    assert str(caught.value) == message


def test_missing_env_from() -> None:
    with pytest.raises(NotFound, match=r'^secret "no" not found$'):
        environment(env_from=(EnvFromSource(secret_ref=SecretEnvSource(name="no")),))
    assert environment(env_from=(EnvFromSource(secret_ref=SecretEnvSource(name="no", optional=True)),)) == {}
    assert environment(env_from=(EnvFromSource(config_map_ref=ConfigMapEnvSource(name="n", optional=True)),)) == {}


def test_only_static_pods_start_before_services_are_listed() -> None:
    unlisted = PodObjects(namespace="default", services=None)
    assert environment(objects=unlisted, of=pod(source="file")) == {}
    with pytest.raises(FailedPrecondition, match="services have not yet been read at least once"):
        environment(objects=unlisted)


NAMES = st.from_regex(r"[A-Z]{1,2}", fullmatch=True)
TEXTS = st.text(st.sampled_from("ab$()AB"), min_size=1)


@given(st.lists(st.tuples(NAMES, TEXTS), max_size=6))
def test_env_never_depends_on_what_comes_later(pairs: list[tuple[str, str]]) -> None:
    env = [EnvVar(name=name, value=text) for name, text in pairs]
    whole: dict[str, str] = {}
    for count in range(len(env) + 1):
        part = environment(*env[:count])
        if count:
            whole = {**whole, env[count - 1].name: part[env[count - 1].name]}
        assert part == whole
