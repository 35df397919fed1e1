"""The plan of a container's mounts."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.agent.configs.devices import HostMount
from podwright.agent.configs.mounts import MountInputs, MountPlan, SubPath, plan_mounts, wants_hosts_file
from podwright.agent.configs.namespaces import PodUserNamespace
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument, NotFound, PodwrightError
from podwright.k8s.objects import VolumeMount
from tests.agent.configs.build import Mounted
from tests.agent.fakes.pods import container, pod

VOLUMES = {
    "data": Mounted(path="/pods/u/volumes/data"),
    "claim": Mounted(path="/pods/u/volumes/pv1", read_only=True, selinux_relabel=True),
    "pic": Mounted(image="registry.example/pic:1", read_only=True),
    "raw": Mounted(),
}
Propagation = api.MountPropagation
REFUSED = 'volume "data" requested recursive read-only mode, but it is not'


def plan(*mounts: VolumeMount, path: str = "", **inputs: Any) -> MountPlan:
    which = container(volume_mounts=mounts, termination_message_path=path)
    return plan_mounts(which, MountInputs(volumes=VOLUMES, **inputs))


def wanted(name: str = "data", path: str = "/data", **fields: Any) -> VolumeMount:
    return VolumeMount(name=name, mount_path=path, **fields)


def test_the_order_is_devices_volumes_hosts_termination() -> None:
    found = plan(
        wanted(),
        wanted("claim", "relative"),
        path="/dev/termination-log",
        device_mounts=(HostMount(host_path="/lib/d", container_path="/d", read_only=True),),
        hosts_file="/pods/u/etc-hosts",
        termination_file="/pods/u/containers/main/1",
    )
    assert found.mounts == (
        api.Mount(host_path="/lib/d", container_path="/d", readonly=True),
        api.Mount(host_path="/pods/u/volumes/data", container_path="/data"),
        api.Mount(host_path="/pods/u/volumes/pv1", container_path="/relative", readonly=True),
        api.Mount(host_path="/pods/u/etc-hosts", container_path="/etc/hosts"),
        api.Mount(host_path="/pods/u/containers/main/1", container_path="/dev/termination-log"),
    )
    assert not found.subpaths


def test_labels_are_changed_only_with_selinux() -> None:
    found = plan(wanted(), wanted("claim"), hosts_file="/h", has_selinux=True).mounts
    assert [mount.selinux_relabel for mount in found] == [False, True, True]
    assert not any(mount.selinux_relabel for mount in plan(wanted("claim"), hosts_file="/h").mounts)


@pytest.mark.parametrize(
    ("mode", "propagation"),
    [
        (None, Propagation.PROPAGATION_PRIVATE),
        ("None", Propagation.PROPAGATION_PRIVATE),
        ("HostToContainer", Propagation.PROPAGATION_HOST_TO_CONTAINER),
        ("Bidirectional", Propagation.PROPAGATION_BIDIRECTIONAL),
    ],
)
def test_propagation(mode: str | None, propagation: int) -> None:
    assert plan(wanted(mount_propagation=mode)).mounts[0].propagation == propagation


def test_images() -> None:
    (mount,) = plan(wanted("pic", sub_path="a/b")).mounts
    assert (mount.image.image, mount.image_sub_path, mount.host_path) == ("registry.example/pic:1", "a/b", "")
    assert mount.readonly


def test_subpaths_are_to_be_bound() -> None:
    device = HostMount(host_path="/lib/d", container_path="/d", read_only=True)
    found = plan(
        wanted(),
        wanted(sub_path="a/b"),
        wanted("claim", sub_path_expr="x/$(N)"),
        environment={"N": "1"},
        device_mounts=(device,),
    )
    assert found.subpaths == {
        2: SubPath(volume="data", subpath="a/b", index=1),
        3: SubPath(volume="claim", subpath="x/1", index=2),
    }
    assert [mount.host_path for mount in found.mounts] == ["/lib/d", "/pods/u/volumes/data", "", ""]


@pytest.mark.parametrize(
    ("mode", "read_only", "can", "expected"),
    [
        (None, True, True, False),
        ("Disabled", False, True, False),
        ("IfPossible", True, True, True),
        ("IfPossible", True, False, False),
        ("Enabled", True, True, True),
    ],
)
def test_recursive_read_only(mode: str | None, read_only: bool, can: bool, expected: bool) -> None:
    mount = wanted(recursive_read_only=mode, read_only=read_only)
    assert plan(mount, can_recursive_read_only=can).mounts[0].recursive_read_only == expected


@pytest.mark.parametrize(
    ("mount", "kind", "message"),
    [
        (wanted("none"), NotFound, 'cannot find volume "none" to mount into container "main"'),
        (wanted("raw"), NotFound, 'cannot find volume "raw" to mount into container "main"'),
        (wanted(sub_path="/a"), InvalidArgument, "error SubPath `/a` must not be an absolute path"),
        (wanted(sub_path="a/../b"), InvalidArgument, "unable to provision SubPath `a/../b`: must not contain '..'"),
        (wanted(sub_path_expr="$(N)"), NotFound, "missing value for N"),
        (wanted(mount_propagation="Odd"), InvalidArgument, 'invalid MountPropagation mode: "Odd"'),
        (
            wanted(recursive_read_only="Enabled"),
            InvalidArgument,
            f"{REFUSED} read-only",
        ),
        (
            wanted(recursive_read_only="Enabled", read_only=True, mount_propagation="HostToContainer"),
            InvalidArgument,
            f'{REFUSED} compatible with propagation "HostToContainer"',
        ),
        (
            wanted(recursive_read_only="Enabled", read_only=True),
            FailedPrecondition,
            f"{REFUSED} supported by the runtime",
        ),
        (wanted(recursive_read_only="Odd", read_only=True), InvalidArgument, 'unknown recursive read-only mode "Odd"'),
    ],
)
def test_what_cannot_be_mounted(mount: VolumeMount, kind: type[PodwrightError], message: str) -> None:
    with pytest.raises(kind) as caught:
        plan(mount)
    assert caught.value.message == message


def test_users_of_the_pods_own_are_on_every_mount() -> None:
    mapping = api.IDMapping(host_id=65536, container_id=0, length=65536)
    for mount in plan(wanted(), hosts_file="/h", users=PodUserNamespace(first_id=65536, length=65536)).mounts:
        assert (list(mount.uidMappings), list(mount.gidMappings)) == ([mapping], [mapping])


def test_who_gets_the_pods_hosts() -> None:
    assert wants_hosts_file(pod(), container(), ["10.0.0.1"])
    assert not wants_hosts_file(pod(), container(), [])
    assert wants_hosts_file(pod(host_network=True), container(), [])
    own = container(volume_mounts=(wanted("data", "/etc/hosts"),))
    assert not wants_hosts_file(pod(host_network=True), own, ["10.0.0.1"])
