"""How the agent of a run is configured."""

from __future__ import annotations

from podwright.agent.gc.unused_images import ImagePolicy
from podwright.agent.resources.id_range import IdRange, check_range, default_range
from podwright.agent.run.settings import agent_config, id_range_of

MAX_PODS = 110


def test_what_is_not_a_run_s_is_left_alone() -> None:
    config = agent_config("/root", "/logs")
    assert (config.process.root_dir, config.container_logs.root) == ("/root", "/logs")
    assert not config.cgroups.per_qos
    images = config.images
    policy = ImagePolicy(
        high_percent=images.gc_high_threshold_percent,
        low_percent=images.gc_low_threshold_percent,
        min_age_s=images.min_age_s,
        max_age_s=images.max_age_s,
    )
    assert policy.is_off


def test_runs_side_by_side_have_ranges_of_their_own() -> None:
    ids = default_range()
    ranges = [id_range_of(f"{number:032x}", ids, MAX_PODS) for number in range(500)]
    assert len({each.first for each in ranges}) == 500
    for each in ranges:
        check_range(each, MAX_PODS)
        assert each.first >= ids.first
        assert each.first + each.count <= ids.first + ids.count


def test_a_small_range_is_used_as_a_whole() -> None:
    ids = IdRange(first=65536, count=150 * 65536)
    assert id_range_of("ff", ids, MAX_PODS) == ids
