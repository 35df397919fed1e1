"""ConfigMaps and Secrets from files."""

from __future__ import annotations

from podwright.agent.objects.documents import DocumentObjects
from podwright.k8s.objects import ConfigMap, ObjectMeta, Secret
from tests.agent.fakes.pods import pod


def named(name: str, namespace: str = "default") -> ObjectMeta:
    return ObjectMeta(name=name, namespace=namespace)


async def test_objects_are_found_by_namespace_and_name() -> None:
    config_map = ConfigMap(metadata=named("a"), data={"k": "v"})
    secret = Secret(metadata=named("a", "other"), data={"k": b"v"})
    objects = DocumentObjects([config_map], [secret])
    assert await objects.config_map("default", "a") is config_map
    assert await objects.config_map("other", "a") is None
    assert await objects.secret("other", "a") is secret
    assert await objects.secret("default", "a") is None


async def test_new_objects_replace_the_old_ones_whoever_is_registered() -> None:
    objects = DocumentObjects([ConfigMap(metadata=named("old"))])
    objects.register(pod())
    objects.set([ConfigMap(metadata=named("new"))], [])
    assert await objects.config_map("default", "old") is None
    assert await objects.config_map("default", "new") is not None
    objects.unregister(pod())
    assert await objects.config_map("default", "new") is not None
