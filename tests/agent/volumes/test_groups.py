"""Groups and users of volumes."""

from __future__ import annotations

import pytest

from podwright.agent.volumes.groups import extra_supplemental_groups, fs_group, token_user
from podwright.agent.volumes.plans import MountedVolume
from podwright.k8s.objects import PodSecurityContext, SecurityContext
from tests.agent.fakes.pods import container, pod


@pytest.mark.parametrize(
    ("users", "pods_user", "expected"),
    [
        ((None,), None, None),
        ((5,), None, 5),
        ((0,), None, 0),
        ((5, 5), None, 5),
        ((5, 6), None, None),
        ((5, None), None, None),
        ((5, None), 5, 5),
        ((None, None), 7, 7),
    ],
)
def test_tokens_belong_to_the_one_user_of_all_containers(
    users: tuple[int | None, ...], pods_user: int | None, expected: int | None
) -> None:
    containers = tuple(
        container(f"c{index}", security_context=SecurityContext(run_as_user=user)) for index, user in enumerate(users)
    )
    subject = pod(containers=containers, security_context=PodSecurityContext(run_as_user=pods_user))
    assert token_user(subject) == expected


def test_groups_of_volumes_are_added_once_and_only_when_the_pod_does_not_name_them() -> None:
    subject = pod(security_context=PodSecurityContext(fs_group=3, supplemental_groups=(10,)))
    mounted = [MountedVolume(path="/a", gid=gid) for gid in (20, 10, None, 20, 15)]
    assert extra_supplemental_groups(subject, mounted) == (15, 20)
    assert fs_group(subject) == 3
    assert fs_group(pod()) is None
