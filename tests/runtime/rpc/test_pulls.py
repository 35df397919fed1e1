"""WatchPulls on the daemon's socket, by several clients, and what other runtimes answer."""

from __future__ import annotations

import asyncio
import os

import pytest

from podwright.api.client import pulls
from podwright.api.v1 import pulls_pb2
from podwright.conformance.patience import patient
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, Unavailable, Unimplemented
from tests.fixtures import FreshPodwright
from tests.harness.containerd import Containerd
from tests.harness.scripted_registry import ScriptedRegistry
from tests.runtime.image.test_progress import MIB, gated
from tools.images import Entry, image_of, layer_of

WAIT_S = patient(60.0)


async def _moved(cri: CriClient, name: str = "") -> pulls_pb2.PullProgress:
    async with asyncio.timeout(WAIT_S):
        async for look in cri.stream(pulls(cri).WatchPulls, pulls_pb2.WatchPullsRequest(image=name)):
            for pull in look.pulls:
                if pull.stage == pulls_pb2.DOWNLOADING and pull.layers[0].done_bytes >= MIB:
                    return pull
    raise AssertionError("the stream has ended")


@pytest.mark.root
async def test_several_people_watch_another_s_pull(fresh_podwright: FreshPodwright) -> None:
    server = fresh_podwright({"registry": {"config_path": ""}})
    image = image_of([layer_of([Entry("file", 0o644, "file", bytes(MIB) + os.urandom(3 * MIB))])], {})
    async with ScriptedRegistry() as registry, server.client() as puller, server.client() as watcher:
        gate = gated(registry, image, "some/image:1")
        name = f"{registry.host}/some/image:1"
        request = api.PullImageRequest(image=api.ImageSpec(image=name))
        job = asyncio.ensure_future(puller.call(puller.images.PullImage, request, timeout_s=None))
        seen = await asyncio.gather(_moved(watcher), _moved(watcher, name), _moved(puller))
        for pull in seen:
            assert (pull.reference, pull.layers[0].total_bytes) == (name, len(image.layers[0].blob))
            assert pull.began_at > 10**18
        gate.opened.set()
        await job
        with pytest.raises(InvalidArgument):
            await _moved(watcher, "NOT A NAME")
        idle = asyncio.ensure_future(_moved(watcher))
        await asyncio.sleep(0.1)
        assert server.stop() == 0
        with pytest.raises((AssertionError, Unavailable)):  # its stream has ended
            await idle


@pytest.mark.root
@pytest.mark.peer
async def test_other_runtimes_do_not_know_it(containerd_server: Containerd) -> None:
    async with containerd_server.client() as cri:
        with pytest.raises(Unimplemented):
            await _moved(cri)
