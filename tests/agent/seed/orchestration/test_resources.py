from __future__ import annotations

import pytest

from podwright.agent.seed.orchestration.resources import (
    container_resources,
    cpu_quota_us,
    cpu_shares,
    oom_score_adj,
    qos_class,
)
from tests.agent.seed.build import GIB, context

FULL = "resources: {limits: {cpu: 1, memory: 1Gi}}"


@pytest.mark.parametrize(
    ("resources", "qos", "score"),
    [
        ("", "BestEffort", 1000),
        ("resources: {requests: {cpu: 0}}", "BestEffort", 1000),
        (FULL, "Guaranteed", -997),
        ("resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}", "Burstable", 875),
        ("resources: {limits: {memory: 1Gi}}", "Burstable", 875),
        ("resources: {requests: {cpu: 1}}", "Burstable", 999),
        ("resources: {requests: {memory: 1}}", "Burstable", 999),
        ("resources: {requests: {memory: 8Gi}}", "Burstable", 3),
        ("resources: {limits: {ephemeral-storage: 1Gi}}", "BestEffort", 1000),
    ],
)
def test_quality_of_service(resources: str, qos: str, score: int) -> None:
    pod = context(container=resources).pod
    assert qos_class(pod) == qos
    assert oom_score_adj(pod, pod.spec.containers[0], 8 * GIB) == score


def test_an_init_container_counts_for_the_class() -> None:
    pod = context("initContainers: [{name: i, image: a}]", container=FULL).pod
    assert qos_class(pod) == "Burstable"


def test_a_sidecar_is_as_safe_as_the_least_safe_it_serves() -> None:
    side = "initContainers: [{name: s, image: a, restartPolicy: Always}]"
    pod = context(side, container="resources: {requests: {memory: 4Gi}}").pod
    assert oom_score_adj(pod, pod.spec.init_containers[0], 8 * GIB) == 500


@pytest.mark.parametrize(("milli", "shares"), [(0, 2), (1, 2), (2, 2), (100, 102), (1000, 1024), (10**9, 262144)])
def test_shares(milli: int, shares: int) -> None:
    assert cpu_shares(milli) == shares


@pytest.mark.parametrize(("milli", "quota"), [(0, 0), (1, 1000), (10, 1000), (250, 25000), (4000, 400000)])
def test_quota(milli: int, quota: int) -> None:
    assert cpu_quota_us(milli) == quota


def test_what_cri_is_told() -> None:
    limits = "resources: {limits: {cpu: 500m, memory: 64Mi, hugepages-2Mi: 4Mi}, requests: {cpu: 250m, memory: 32Mi}}"
    pod = context(container=limits).pod
    told = container_resources(pod, pod.spec.containers[0], 8 * GIB)
    assert (told.cpu_shares, told.cpu_quota, told.cpu_period) == (256, 50000, 100000)
    assert told.memory_limit_in_bytes == 64 * 2**20
    assert [(item.page_size, item.limit) for item in told.hugepage_limits] == [("2MB", 4 * 2**20)]
