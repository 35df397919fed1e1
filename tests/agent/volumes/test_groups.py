"""Groups and users of volumes."""

from __future__ import annotations

import pytest

from podwright.agent.volumes.groups import fs_group, token_user
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


def test_the_group_of_volumes_is_the_pod_s() -> None:
    assert fs_group(pod(security_context=PodSecurityContext(fs_group=3))) == 3
    assert fs_group(pod()) is None
