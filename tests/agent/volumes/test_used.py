"""Which volumes are used, and which mount points lie in them."""

from __future__ import annotations

import pytest

from podwright.agent.volumes.used import nested_mount_points, used_volumes
from podwright.k8s.objects import EphemeralContainer, Volume, VolumeDevice, VolumeMount
from tests.agent.fakes.pods import container, pod


def test_a_volume_counts_when_any_container_mounts_it_or_has_it_as_a_device() -> None:
    def mount(name: str) -> tuple[VolumeMount, ...]:
        return (VolumeMount(name=name, mount_path="/x"),)

    subject = pod(
        volumes=tuple(Volume(name=name) for name in ("unused", "main", "init", "debug", "device")),
        containers=(
            container(volume_mounts=mount("main"), volume_devices=(VolumeDevice(name="device", device_path="/d"),)),
        ),
        init_containers=(container("prepare", volume_mounts=mount("init")),),
        ephemeral_containers=(EphemeralContainer(name="shell", volume_mounts=mount("debug")),),
    )
    assert [volume.name for volume in used_volumes(subject)] == ["main", "init", "debug", "device"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ({"own": "/a", "other": "/b"}, ()),
        ({"own": "/a", "other": "/a/b"}, ("b",)),
        ({"own": "/a/", "other": "/a//b/./c"}, ("b/c",)),
        ({"own": "/a", "other": "/ab"}, ()),
        ({"own": "/", "other": "/a/b"}, ("a/b",)),
        ({"own": "/a", "x": "/a/b", "y": "/a/b/c", "z": "/a/b-c"}, ("b", "b-c")),
        ({"own": "/a", "other": "/a/b/../../../etc"}, ()),
        ({"own": "../a", "other": "../../x"}, ()),
        ({"own": "a", "other": "/a/b"}, ("b",)),
    ],
)
def test_only_the_outermost_nested_mount_points_are_the_volumes(
    paths: dict[str, str], expected: tuple[str, ...]
) -> None:
    mounts = tuple(VolumeMount(name=name, mount_path=path) for name, path in paths.items())
    assert nested_mount_points(pod(containers=(container(volume_mounts=mounts),)), "own") == expected
