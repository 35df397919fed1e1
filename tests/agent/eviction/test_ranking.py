"""Which pod has to go first."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.config.thresholds import EvictionSignal
from podwright.agent.eviction.layout import DiskLayout
from podwright.agent.eviction.ranking import ranked
from podwright.agent.stats.records import PodStats
from podwright.k8s.objects import EmptyDirVolumeSource, Pod, ResourceRequirements, Volume
from tests.agent.eviction.stats import pod_stats, used
from tests.agent.fakes.pods import container, pod

MEMORY, PIDS = EvictionSignal.MEMORY, EvictionSignal.PIDS
NODE_FS, INODES = EvictionSignal.NODE_FS, EvictionSignal.NODE_FS_INODES
IMAGE_FS = EvictionSignal.IMAGE_FS


def asking(name: str, priority: int | None = None, **requests: str) -> Pod:
    resources = ResourceRequirements(requests={key.replace("_", "-"): text for key, text in requests.items()})
    volumes = (Volume(name="data", empty_dir=EmptyDirVolumeSource()),)
    return pod(name, containers=(container(resources=resources),), priority=priority, volumes=volumes)


def order(
    pods: list[Pod],
    stats: list[PodStats],
    signal: EvictionSignal,
    layout: DiskLayout | None = None,
    idle: tuple[str, ...] = (),
) -> list[str]:
    shuffled = random.Random(1).sample(pods, len(pods))
    by_uid = {each.pod_ref.uid: each for each in stats}
    uids = {each.metadata.uid for each in pods if each.metadata.name in idle}
    found = ranked(shuffled, by_uid, signal, layout or DiskLayout(), idle=uids)
    return [each.metadata.name for each in found]


def test_memory_beyond_requests_then_priority_then_how_much() -> None:
    pods = [
        asking("unknown", 1000, memory="1Gi"),
        asking("beyond-little", 0, memory="100"),
        asking("beyond-much", 0, memory="100"),
        asking("beyond-important", 10, memory="100"),
        asking("within", 0, memory="1000"),
        asking("within-nearer", 0, memory="910"),
        asking("within-important", 5, memory="900"),
    ]
    stats = [
        pod_stats("beyond-little", working_set=150),
        pod_stats("beyond-much", working_set=200),
        pod_stats("beyond-important", working_set=900),
        pod_stats("within", working_set=900),
        pod_stats("within-nearer", working_set=900),
        pod_stats("within-important", working_set=900),
    ]
    assert order(pods, stats, MEMORY) == [
        "unknown",
        "beyond-much",
        "beyond-little",
        "beyond-important",
        "within-nearer",
        "within",
        "within-important",
    ]


@pytest.mark.parametrize("signal", [MEMORY, PIDS, NODE_FS])
def test_without_running_containers_a_pod_uses_nothing(signal: EvictionSignal) -> None:
    pods = [asking("starting"), asking("hog"), asking("unknown")]
    stats = [pod_stats("hog", working_set=100, processes=5, layers=used(100, 1))]
    assert order(pods, stats, signal, idle=("starting",)) == ["unknown", "hog", "starting"]


def test_pids_by_priority_then_count() -> None:
    pods = [asking("few"), asking("many"), asking("important", 7)]
    stats = [pod_stats("few", processes=3), pod_stats("many", processes=300), pod_stats("important", processes=999)]
    assert order(pods, stats, PIDS) == ["many", "few", "important"]


def parts(name: str, **sizes: int) -> PodStats:
    """Layers, logs and the volume `data` of a pod; so many bytes, and as many inodes."""
    found: dict[str, Any] = {key: used(size, size) for key, size in sizes.items() if key != "volume"}
    return pod_stats(name, volumes={"data": used(sizes.get("volume", 0), sizes.get("volume", 0))}, **found)


@pytest.mark.parametrize(
    ("signal", "layout", "first"),
    [
        (NODE_FS, DiskLayout(), "layers"),
        (INODES, DiskLayout(), "layers"),
        (NODE_FS, DiskLayout(images_apart=True), "volume"),
        (IMAGE_FS, DiskLayout(images_apart=True), "layers"),
        (NODE_FS, DiskLayout(images_apart=True, layers_apart=True), "layers"),
    ],
)
def test_disks_count_what_is_on_them(signal: EvictionSignal, layout: DiskLayout, first: str) -> None:
    pods = [asking("layers"), asking("logs"), asking("volume")]
    stats = [parts("layers", layers=30), parts("logs", logs=10), parts("volume", volume=20)]
    assert order(pods, stats, signal, layout)[0] == first


def test_who_requests_disk_space_may_use_it() -> None:
    pods = [asking("asked", ephemeral_storage="1000"), asking("silent")]
    stats = [parts("asked", logs=900), parts("silent", logs=10)]
    assert order(pods, stats, NODE_FS) == ["silent", "asked"]


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(0, 50), st.integers(0, 50)), max_size=8))
def test_nobody_within_requests_goes_before_somebody_beyond(found: list[tuple[int, int, int]]) -> None:
    pods = [asking(f"p{index}", priority, memory=str(request)) for index, (priority, request, _) in enumerate(found)]
    stats = [pod_stats(f"p{index}", working_set=using) for index, (_, _, using) in enumerate(found)]
    exceeds = [found[int(name[1:])][2] > found[int(name[1:])][1] for name in order(pods, stats, MEMORY)]
    assert exceeds == sorted(exceeds, reverse=True)
