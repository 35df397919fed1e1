"""What can be a part of a pod's paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.pods import places
from podwright.errors import InvalidArgument

ROOT = "/var/lib/kubelet"
BAD_UIDS = ["", ".", "..", "a/b", "/", "../../etc", "a\0", "a b", "a\n", "a_b", "-a", "ä", "x" * 129]


def test_the_layout_is_the_kubelets() -> None:
    assert places.pod_directory(ROOT, "u1") == f"{ROOT}/pods/u1"
    assert places.log_directory("/var/log/pods", "default", "web", "u1") == "/var/log/pods/default_web_u1"


@pytest.mark.parametrize("uid", BAD_UIDS)
def test_a_uid_that_would_lead_elsewhere_is_refused(uid: str) -> None:
    assert not places.is_uid(uid)
    with pytest.raises(InvalidArgument, match="cannot be a part of a path"):
        places.pod_directory(ROOT, uid)
    with pytest.raises(InvalidArgument, match="cannot be a part of a path"):
        places.log_directory("/var/log/pods", "default", "web", uid)


@pytest.mark.parametrize("uid", ["0a1b", "7a2c9c9e-6a1f-4a57-9d0e-0e8f6e7c1d11", "my-own", "A.b:c", "x" * 128])
def test_a_uid_that_a_path_can_hold(uid: str) -> None:
    assert places.checked_uid(uid) == uid


def test_a_name_that_is_too_long_for_the_folder_of_logs_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="use a shorter name"):
        places.log_directory("/var/log/pods", "default", "w" * 240, "u" * 32)
    with pytest.raises(InvalidArgument, match="cannot be the name of a file"):
        places.log_directory("/var/log/pods", "../..", "web", "u1")


@given(st.text(max_size=140))
def test_what_is_taken_stays_below_its_directory(uid: str) -> None:
    if places.is_uid(uid):
        assert places.pod_directory(ROOT, uid).split("/")[:-1] == f"{ROOT}/pods".split("/")
        assert uid not in (".", "..")
