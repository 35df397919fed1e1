"""Pods that exceed their own limits of local storage, and what they are told."""

from __future__ import annotations

import pytest

from podwright.agent.config.thresholds import EvictionSignal, Threshold, threshold_value
from podwright.agent.eviction.local_storage import has_limits, overuse
from podwright.agent.eviction.messages import low_on, refused
from podwright.agent.eviction.signals import read_signals
from podwright.agent.node.conditions import Pressure
from podwright.agent.stats.records import PodStats
from podwright.k8s.objects import EmptyDirVolumeSource, Pod, ResourceRequirements, Volume
from tests.agent.eviction.stats import filesystems, node, pod_stats, used
from tests.agent.fakes.pods import container, pod


def limited(storage: str = "", size: str | None = None) -> Pod:
    resources = ResourceRequirements(limits={"ephemeral-storage": storage} if storage else {})
    volumes = (Volume(name="data", empty_dir=EmptyDirVolumeSource(size_limit=size)),)
    return pod(containers=(container(resources=resources),), volumes=volumes)


@pytest.mark.parametrize(
    ("found", "stats", "images_apart", "signal", "message"),
    [
        (
            limited(size="1Mi"),
            pod_stats("web", volumes={"data": used((1 << 20) + 1)}),
            False,
            "emptydirfs.limit",
            'Usage of EmptyDir volume "data" exceeds the limit "1Mi". ',
        ),
        (limited(size="1Mi"), pod_stats("web", volumes={"data": used(1 << 20)}), False, "", ""),
        (limited(size="0"), pod_stats("web", volumes={"data": used(1 << 20)}), False, "", ""),
        (limited(size="1Mi"), pod_stats("web"), False, "", ""),
        (
            limited("2k"),
            pod_stats("web", ephemeral=2001),
            False,
            "ephemeralpodfs.limit",
            "Pod ephemeral local storage usage exceeds the total limit of containers 2k. ",
        ),
        (limited("2k"), pod_stats("web", ephemeral=2000, layers=used(1000), logs=used(1000)), False, "", ""),
        (
            limited("2k"),
            pod_stats("web", layers=used(1500), logs=used(600)),
            False,
            "ephemeralcontainerfs.limit",
            'Container main exceeded its local ephemeral storage limit "2k". ',
        ),
        (limited("2k"), pod_stats("web", layers=used(1500), logs=used(600)), True, "", ""),
        (limited(), pod_stats("web", layers=used(10**9), ephemeral=10**9), False, "", ""),
    ],
)
def test_limits(found: Pod, stats: PodStats, images_apart: bool, signal: str, message: str) -> None:
    over = overuse(found, stats, images_apart=images_apart)
    shown = (over.signal, over.message) if over is not None else ("", "")
    assert shown == (signal, message)


@pytest.mark.parametrize(("found", "has"), [(limited(), False), (limited("1Gi"), True), (limited(size="1Gi"), True)])
def test_only_pods_with_limits_have_to_be_measured(found: Pod, has: bool) -> None:
    assert has_limits(found) is has


def test_the_message_names_who_uses_more_than_requested() -> None:
    value = threshold_value("memory.available", "100Mi")
    assert value is not None
    urgent = [Threshold(signal=EvictionSignal.MEMORY, value=value)]
    readings = read_signals(node(available=50 << 20, capacity=1 << 30), filesystems())
    found = pod(containers=(container(resources=ResourceRequirements(requests={"memory": "10Mi"})),))
    notice = low_on("memory", found, pod_stats("web", working_set=20 << 20), urgent, readings)
    assert notice.message == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
        "Container main was using 20Mi, request is 10Mi, has larger consumption of memory. "
    )
    assert notice.annotations == {
        "offending_containers": "main",
        "offending_containers_usage": "20Mi",
        "starved_resource": "memory",
    }


def test_the_message_of_inodes_has_no_containers_and_that_of_an_unknown_pod_nothing() -> None:
    readings = read_signals(node(), filesystems())
    notice = low_on("inodes", pod(), pod_stats("web"), [], readings)
    assert notice.message == "The node was low on resource: inodes. "
    assert notice.annotations["starved_resource"] == "inodes"
    assert low_on("inodes", pod(), None, [], readings).annotations == {}


def test_storage_counts_layers_and_logs_together() -> None:
    stats = pod_stats("web", layers=used(1000), logs=used(500))
    notice = low_on("ephemeral-storage", pod(), stats, [], {})
    assert (
        "Container main was using 1500, request is 0, has larger consumption of ephemeral-storage. " in notice.message
    )


def test_a_pod_with_requests_of_its_own_is_named_too() -> None:
    found = pod(resources=ResourceRequirements(requests={"memory": "1Mi"}))
    notice = low_on("memory", found, pod_stats("web", working_set=2 << 20), [], {})
    assert "Pod web was using 2Mi, request is 1Mi, has larger consumption of memory. " in notice.message
    assert notice.annotations["offending_pod"] == "web"
    assert notice.annotations["offending_pod_usage"] == "2Mi"


def test_a_refused_pod_hears_of_all_conditions() -> None:
    text = refused([Pressure.PID, Pressure.MEMORY])
    assert text == "The node had condition: [MemoryPressure PIDPressure]. "
