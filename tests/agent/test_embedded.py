"""The runtime of an agent that brings its own."""

from __future__ import annotations

import pytest

from podwright.agent.embedded import EmbeddedRuntime
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.process import PosixProcessRunner
from tests.harness.scratch import Scratch

pytestmark = pytest.mark.root


async def test_it_answers_once_it_has_started_and_is_found_by_the_next_agent(scratch: Scratch) -> None:
    directory = scratch.part("agent").directory
    first, second = (
        EmbeddedRuntime(f"{directory}/root", f"{directory}/state", PosixProcessRunner()) for _ in range(2)
    )
    try:
        await first.start()
        async with CriClient(first.endpoint) as cri:
            answer = await cri.call(cri.runtime.Version, api.VersionRequest())
            assert answer.runtime_name == "podwright"
            await second.start()
            await second.close()  # it has started nothing, and stops nothing
            await cri.call(cri.runtime.Version, api.VersionRequest())
    finally:
        await first.close()
