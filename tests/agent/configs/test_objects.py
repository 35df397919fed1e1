"""What pods refer to, and fetching it."""

from __future__ import annotations

import pytest

from podwright.agent.configs.objects import gather
from podwright.agent.pods.references import References, container_references, pod_references
from podwright.errors import NotFound, Unavailable
from podwright.k8s.objects import (
    ConfigMap,
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    ConfigMapProjection,
    ConfigMapVolumeSource,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    Pod,
    ProjectedVolumeSource,
    Secret,
    SecretEnvSource,
    SecretKeySelector,
    SecretProjection,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)
from tests.agent.fakes.pods import container, pod

MAIN = container(
    env=(
        EnvVar(name="A", value="plain"),
        EnvVar(name="B", value_from=EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name="c1", key="k"))),
        EnvVar(name="C", value_from=EnvVarSource(secret_key_ref=SecretKeySelector(name="s1", key="k"))),
    ),
    env_from=(
        EnvFromSource(config_map_ref=ConfigMapEnvSource(name="c2")),
        EnvFromSource(secret_ref=SecretEnvSource(name="s2")),
    ),
)
VOLUMES = (
    Volume(name="v1", config_map=ConfigMapVolumeSource(name="c3")),
    Volume(name="v2", secret=SecretVolumeSource(secret_name="s3")),
    Volume(
        name="v3",
        projected=ProjectedVolumeSource(
            sources=(
                VolumeProjection(config_map=ConfigMapProjection(name="c4")),
                VolumeProjection(secret=SecretProjection(name="s4")),
            )
        ),
    ),
)


class Stored:
    """An ObjectGetter of fixed objects that remembers what it was asked for."""

    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[str] = []
        self._fails = fails

    async def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        self.asked.append(f"{namespace}/{name}")
        return ConfigMap(data={"k": name}) if name == "c1" else None

    async def secret(self, namespace: str, name: str) -> Secret | None:
        self.asked.append(f"{namespace}/{name}")
        if self._fails:
            raise Unavailable("the API does not answer")
        return Secret(data={"k": name.encode()}) if name == "s1" else None

    def register(self, pod: Pod) -> None: ...

    def unregister(self, pod: Pod) -> None: ...


def test_references() -> None:
    own = References(config_maps=frozenset({"c1", "c2"}), secrets=frozenset({"s1", "s2"}))
    assert container_references(MAIN) == own
    of = pod(containers=(container("plain"),), init_containers=(MAIN,), volumes=VOLUMES)
    more = References(config_maps=frozenset({"c3", "c4"}), secrets=frozenset({"s3", "s4"}))
    assert pod_references(of) == own | more


async def test_gather_fetches_each_once_and_only_what_is_asked_for() -> None:
    getter = Stored()
    of = pod(containers=(MAIN, container("other", env=MAIN.env)), volumes=VOLUMES)
    objects = await gather(of, getter, references=container_references(MAIN))
    assert getter.asked == ["default/c1", "default/c2", "default/s1", "default/s2"]
    assert objects.config_map("c1", optional=False) == ConfigMap(data={"k": "c1"})
    assert objects.secret("s2", optional=True) is None
    with pytest.raises(NotFound, match=r'^configmap "c2" not found$'):
        objects.config_map("c2", optional=None)
    assert len((await gather(of, getter)).config_maps) == 1
    assert len(getter.asked) == 4 + 8


async def test_nothing_is_asked_for_without_references() -> None:
    getter = Stored()
    await gather(pod(volumes=VOLUMES), getter, references=References())
    assert getter.asked == []


async def test_a_failure_is_passed_on() -> None:
    with pytest.raises(Unavailable):
        await gather(pod(containers=(MAIN,)), Stored(fails=True))
