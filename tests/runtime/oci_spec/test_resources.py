"""Limits: what is granted, merged and said in OCI's words, as tables and properties."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.runtime.model.base import Resources
from podwright.runtime.oci_spec import resources
from podwright.runtime.oci_spec.resources import CgroupAbilities

ALL = CgroupAbilities(huge_page_sizes=frozenset({"2MB", "1GB"}), unified=True)
BARE = CgroupAbilities(swap=False)


@pytest.mark.parametrize(
    ("wanted", "abilities", "oci"),
    [
        ({}, ALL, {}),
        ({"cpu_shares": 512}, ALL, {"cpu": {"shares": 512}}),
        ({"cpu_shares": 1}, ALL, {"cpu": {"shares": 2}}),
        ({"cpu_shares": 1 << 40}, ALL, {"cpu": {"shares": 262144}}),
        ({"cpu_quota": -1, "cpu_period": 50000}, ALL, {"cpu": {"quota": -1, "period": 50000}}),
        ({"cpu_quota": -1}, ALL, {"cpu": {"quota": -1, "period": 100000}}),
        ({"cpuset_cpus": "0-1,3", "cpuset_mems": "0"}, ALL, {"cpu": {"cpus": "0-1,3", "mems": "0"}}),
        ({"memory_limit_bytes": 100}, ALL, {"memory": {"limit": 100, "swap": 100}}),
        (
            {"memory_limit_bytes": 100, "memory_swap_limit_bytes": 200},
            ALL,
            {"memory": {"limit": 100, "swap": 200}},
        ),
        ({"memory_limit_bytes": 100, "memory_swap_limit_bytes": -1}, ALL, {"memory": {"limit": 100, "swap": -1}}),
        ({"memory_limit_bytes": 100, "memory_swap_limit_bytes": 200}, BARE, {"memory": {"limit": 100}}),
        ({"memory_limit_bytes": -1}, ALL, {"memory": {"limit": -1, "swap": -1}}),
        ({"memory_limit_bytes": -1, "memory_swap_limit_bytes": -1}, ALL, {"memory": {"limit": -1, "swap": -1}}),
        ({"memory_limit_bytes": -1}, BARE, {"memory": {"limit": -1}}),
        ({"hugepage_limits": (("2MB", 4),)}, ALL, {"hugepageLimits": [{"pageSize": "2MB", "limit": 4}]}),
        ({"hugepage_limits": (("2MB", 0),)}, ALL, {"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]}),
        ({"hugepage_limits": (("64KB", 0),)}, ALL, {}),
        ({"hugepage_limits": (("2MB", 4),)}, BARE, {}),
        ({"unified": {"memory.high": "1"}}, ALL, {"unified": {"memory.high": "1"}}),
    ],
)
def test_granted_in_ocis_words(wanted: dict[str, Any], abilities: CgroupAbilities, oci: dict[str, Any]) -> None:
    assert resources.oci_resources(resources.granted(Resources(**wanted), abilities)) == oci


@pytest.mark.parametrize(
    "wanted",
    [
        {"memory_limit_bytes": -2},
        {"memory_limit_bytes": -1, "memory_swap_limit_bytes": 200},
        {"cpu_shares": -1},
        {"cpu_period": -1},
        {"cpu_period": 999},
        {"cpu_period": 1_000_001},
        {"cpu_quota": -2},
        {"cpu_quota": 999},
        {"cpuset_cpus": "0-"},
        {"cpuset_mems": "all"},
        {"memory_limit_bytes": 100, "memory_swap_limit_bytes": 50},
        {"memory_limit_bytes": 100, "memory_swap_limit_bytes": -2},
        {"memory_swap_limit_bytes": 100},
        {"oom_score_adj": 1001},
        {"oom_score_adj": -1001},
        {"hugepage_limits": (("2 MB", 0),)},
        {"hugepage_limits": (("4MB", 1),)},
        {"unified": {"../memory.max": "1"}},
        {"unified": {"memory": "1"}},
        {"unified": {"cgroup.kill": "1"}},
    ],
    ids=str,
)
def test_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        resources.granted(Resources(**wanted), ALL)


def test_files_of_v2_need_v2() -> None:
    with pytest.raises(FailedPrecondition, match="v2"):
        resources.granted(Resources(unified={"memory.high": "1"}), BARE)


def test_oom_score_is_clamped_to_what_the_daemon_may_set() -> None:
    for asked, got in ((-500, 100), (100, 100), (500, 500)):
        limits = resources.granted(Resources(oom_score_adj=asked), ALL, lowest_oom_score_adj=100)
        assert limits.oom_score_adj == got


def test_a_quota_that_is_none_can_be_left_out() -> None:
    oci = resources.oci_resources(Resources(cpu_quota=-1, memory_limit_bytes=7))
    assert resources.without_quota(oci) == {"cpu": {"period": 100000}, "memory": {"limit": 7}}
    for other in ({}, {"cpu": {"quota": 5000}}):
        assert resources.without_quota(other) == other


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Resources(memory_limit_bytes=70), ({"limit": 70}, "0")),
        (Resources(memory_limit_bytes=70, memory_swap_limit_bytes=100), ({"limit": 70}, "30")),
        (Resources(memory_limit_bytes=70, memory_swap_limit_bytes=-1), ({"limit": 70}, "max")),
        (Resources(memory_limit_bytes=-1), ({"limit": -1}, "max")),
        (Resources(memory_limit_bytes=70, unified={"memory.swap.max": "9"}), ({"limit": 70}, "9")),
    ],
)
def test_v2_limits_swap_by_itself(limits: Resources, expected: tuple[dict[str, int], str]) -> None:
    oci = resources.oci_resources(resources.granted(limits, ALL))
    found = resources.with_swap_file(oci)
    assert (found["memory"], found["unified"]["memory.swap.max"]) == expected


def test_without_a_limit_of_swap_v2_has_none() -> None:
    for oci in ({}, {"memory": {"limit": 7}}, {"cpu": {"shares": 2}}):
        assert resources.with_swap_file(oci) == oci


def test_too_little_memory_to_start_anything() -> None:
    resources.check_floor(Resources(), 100, "crun")
    resources.check_floor(Resources(memory_limit_bytes=100), 100, "crun")
    with pytest.raises(InvalidArgument, match="crun cannot start"):
        resources.check_floor(Resources(memory_limit_bytes=99), 100, "crun")


@pytest.mark.parametrize(
    ("current", "change", "result"),
    [
        ({"cpu_shares": 5}, {}, {"cpu_shares": 5}),
        ({"cpu_shares": 5, "cpuset_cpus": "1"}, {"cpu_shares": 6}, {"cpu_shares": 6, "cpuset_cpus": "1"}),
        ({"cpu_quota": 5000}, {"cpu_quota": -1}, {"cpu_quota": -1}),
        (
            {"memory_limit_bytes": 10, "memory_swap_limit_bytes": 10},
            {"memory_limit_bytes": 20},
            {"memory_limit_bytes": 20, "memory_swap_limit_bytes": 0},
        ),
        (
            {"memory_limit_bytes": 10, "memory_swap_limit_bytes": 10},
            {"memory_swap_limit_bytes": 30},
            {"memory_limit_bytes": 10, "memory_swap_limit_bytes": 30},
        ),
        (
            {"hugepage_limits": (("2MB", 1), ("1GB", 2))},
            {"hugepage_limits": (("2MB", 0),)},
            {"hugepage_limits": (("2MB", 0), ("1GB", 2))},
        ),
        (
            {"unified": {"memory.high": "1", "memory.low": "2"}},
            {"unified": {"memory.high": "3"}},
            {"unified": {"memory.high": "3", "memory.low": "2"}},
        ),
    ],
)
def test_merged(current: dict[str, Any], change: dict[str, Any], result: dict[str, Any]) -> None:
    assert resources.merged(Resources(**current), Resources(**change)) == Resources(**result)


LIMITS = st.builds(
    Resources,
    cpu_shares=st.integers(0, 1 << 20),
    cpu_quota=st.sampled_from([0, -1, 5000]),
    memory_limit_bytes=st.integers(0, 1 << 40),
    oom_score_adj=st.integers(-1000, 1000),
    hugepage_limits=st.just(()) | st.just((("2MB", 8),)),
)


@given(LIMITS)
def test_what_is_granted_is_granted_again(wanted: Resources) -> None:
    limits = resources.granted(wanted, ALL, lowest_oom_score_adj=0)
    assert resources.granted(limits, ALL, lowest_oom_score_adj=0) == limits
    assert resources.merged(limits, Resources()) == limits
