"""The sink that is asked."""

from __future__ import annotations

from collections.abc import Collection

from podwright.k8s.client.listwatch.cache import Cache
from podwright.k8s.client.listwatch.progress import Key
from podwright.k8s.objects import ConfigMap, ObjectMeta


def config_map(name: str, version: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="n", resource_version=version, uid=f"u-{name}"))


def test_changes_are_told_once_and_unchanged_objects_stay_the_same_ones() -> None:
    told: list[Collection[Key]] = []
    cache: Cache[ConfigMap] = Cache(told.append)
    first = config_map("a", "1")
    cache.replace([first, config_map("b", "2")])
    cache.replace([config_map("a", "1"), config_map("c", "3")])
    assert cache.get("n", "a") is first
    assert cache.get("n", "b") is None
    cache.replace([config_map("a", "1"), config_map("c", "3")])
    cache.put(config_map("a", "4"))
    cache.remove(config_map("a", "5"))
    cache.remove(config_map("a", "5"))
    assert [sorted(keys) for keys in told] == [
        [("n", "a"), ("n", "b")],
        [("n", "b"), ("n", "c")],
        [("n", "a")],
        [("n", "a")],
    ]
    assert [each.metadata.name for each in cache] == ["c"]
