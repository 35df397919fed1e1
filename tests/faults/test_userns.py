"""User namespaces together with image volumes, and through kills of the daemon."""

from __future__ import annotations

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from tests.faults.node import Node

pytestmark = [pytest.mark.root]

MAPPING = api.IDMapping(host_id=70000, container_id=0, length=65536)
USERS = api.UserNamespace(mode=api.POD, uids=[MAPPING], gids=[MAPPING])
OWNERS = "stat -c '%u:%g' /volume/etc/passwd /volume/bin/busybox /etc/passwd; head -n 1 /volume/etc/passwd"
SEEN = b"0:0\n0:0\n0:0\nroot:x:0:0:root:/root:/bin/sh\n"


async def _pod(node: Node, handler: str) -> CasePod:
    return await node.pod(handler=handler, namespaces=api.NamespaceOption(pid=api.CONTAINER, userns_options=USERS))


def _volume(node: Node, place: str = "/volume", sub_path: str = "") -> api.Mount:
    image = api.ImageSpec(image=node.image)
    return api.Mount(container_path=place, readonly=True, image=image, image_sub_path=sub_path)


async def test_an_image_volume_belongs_to_the_pods_users(node: Node) -> None:
    """Like the root, whether it is the whole image or a part of it; neither can be written."""
    pod = await _pod(node, "crun")
    mounts = [_volume(node), _volume(node, "/part", "etc")]
    script = f"{OWNERS}; stat -c %u /part/passwd; touch /volume/x /part/x 2>&1; cat /proc/self/uid_map"
    said = await pod.output("sh", "-c", script, mounts=mounts)
    assert said.startswith(SEEN.decode() + "0\n")
    assert said.count("Read-only file system") == 2
    assert said.split()[-3:] == ["0", "70000", "65536"]
    await node.emptied()


async def test_both_live_through_kills_of_the_daemon(node: Node) -> None:
    pod = await _pod(node, "crun")
    running = await pod.run_ready(mounts=[_volume(node)])
    created = await pod.create(mounts=[_volume(node)])
    for _ in range(2):
        await node.reborn()
        assert (await pod.exec(running, "sh", "-c", OWNERS)).stdout == SEEN
        assert (await node.status(pod)).state == api.SANDBOX_READY
    await pod.start(created)
    assert (await pod.exec(created, "sh", "-c", OWNERS)).stdout == SEEN
    assert (await pod.exec(created, "cat", "/proc/self/uid_map")).stdout.split() == [b"0", b"70000", b"65536"]
    again = await pod.run_ready(mounts=[_volume(node)])
    assert (await pod.exec(again, "sh", "-c", OWNERS)).stdout == SEEN
    await node.audited()
    await node.emptied()
