"""Names of cgroups, as the kubelet gives them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.pods.places import UID
from podwright.agent.pods.qos import QosClass
from podwright.agent.resources.cgroup_names import Driver, names_of
from podwright.errors import InvalidArgument


@pytest.mark.parametrize(
    ("driver", "root", "qos", "path"),
    [
        ("cgroupfs", "", "Guaranteed", "/kubepods/poda-b"),
        ("cgroupfs", "/", "Burstable", "/kubepods/burstable/poda-b"),
        ("cgroupfs", "/x/y-z", "BestEffort", "/x/y-z/kubepods/besteffort/poda-b"),
        ("systemd", "/", "Guaranteed", "/kubepods.slice/kubepods-poda_b.slice"),
        (
            "systemd",
            "",
            "Burstable",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poda_b.slice",
        ),
        (
            "systemd",
            "/y-z",
            "BestEffort",
            "/y_z.slice/y_z-kubepods.slice/y_z-kubepods-besteffort.slice/y_z-kubepods-besteffort-poda_b.slice",
        ),
    ],
)
def test_paths(driver: Driver, root: str, qos: QosClass, path: str) -> None:
    names = names_of(driver, root)
    assert names.of_pod(qos, "a-b") == path
    parent, _, name = path.rpartition("/")
    assert names.of_class(qos) == parent
    assert names.uid_of(parent, name) == "a-b"


def test_the_top() -> None:
    assert names_of("cgroupfs", "/").top == "/"
    assert names_of("systemd", "").top == "/"
    assert names_of("cgroupfs", "/a/b").top == "/a/b"
    assert names_of("cgroupfs", "/a/b").kubepods == "/a/b/kubepods"


def test_others_are_no_pods() -> None:
    names = names_of("cgroupfs", "/")
    assert names.uid_of(names.kubepods, "burstable") == ""
    assert names.uid_of(names.kubepods, "pod") == ""
    names = names_of("systemd", "/")
    assert names.uid_of(names.kubepods, "kubepods-burstable.slice") == ""
    assert names.uid_of(names.kubepods, "podx") == ""


@pytest.mark.parametrize("uid", ["", ".", "..", "a/b", "/", "x\0"])
def test_uids_that_lead_elsewhere(uid: str) -> None:
    for driver in ("cgroupfs", "systemd"):
        with pytest.raises(InvalidArgument):
            names_of(driver, "/").of_pod("Burstable", uid)


@pytest.mark.parametrize("driver", ["systemd", "cgroupfs"])
def test_an_underscore_is_refused_since_systemd_cannot_tell_it_from_a_dash(driver: Driver) -> None:
    with pytest.raises(InvalidArgument, match="cannot be a part of a path"):
        names_of(driver, "/").of_pod("Burstable", "a_b")


@given(st.from_regex(UID, fullmatch=True), st.sampled_from(["cgroupfs", "systemd"]))
def test_every_uid_is_found_again(uid: str, driver: Driver) -> None:
    names = names_of(driver, "/r-t")
    parent, _, name = names.of_pod("Guaranteed", uid).rpartition("/")
    assert names.uid_of(parent, name) == uid
