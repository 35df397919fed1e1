"""What a real daemon says of a call that takes long, while it does."""

from __future__ import annotations

import asyncio
import json

import pytest

from podwright.api.client import timeline
from podwright.api.v1 import timeline_pb2 as own
from podwright.conformance.pods import DEAF, WAIT_S, running_pod
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from tests.harness.podwright import Podwright


async def _waits_out_the_grace(cri: CriClient, container: str) -> None:
    """Wait until the verbose status says so."""
    async with asyncio.timeout(WAIT_S):
        while True:
            status = await cri.call(cri.runtime.Status, api.StatusRequest(verbose=True))
            looks = [look for look in json.loads(status.info["underWay"]) if look["ids"] == [container]]
            if [look["step"] for look in looks] == ["StopContainer > grace"]:
                return
            await asyncio.sleep(0.05)


@pytest.mark.root
async def test_a_stop_that_waits_out_its_grace(podwright_server: Podwright, busybox_image: str) -> None:
    async with podwright_server.client() as cri, running_pod(podwright_server.peer(cri), busybox_image) as pod:
        container = await pod.run_ready(DEAF)
        stopping = asyncio.create_task(pod.stop(container, timeout=60))
        try:
            await _waits_out_the_grace(cri, container)
            listed = await cri.call(timeline(cri).ListCalls, own.ListCallsRequest(id=container))
        finally:
            await pod.stop(container, timeout=0)
            await stopping
        (running,) = (call.step for call in listed.calls if call.step.under_way)
        assert (running.name, [(step.name, step.under_way) for step in running.steps]) == (
            "StopContainer",
            [("grace", True)],
        )
        listed = await cri.call(timeline(cri).ListCalls, own.ListCallsRequest(id=pod.id))
        ended = [call for call in listed.calls if call.step.name == "StopContainer"]
        assert ["grace", "kill"] in [[step.name for step in call.step.steps] for call in ended]
        assert not any(call.step.under_way for call in ended)
