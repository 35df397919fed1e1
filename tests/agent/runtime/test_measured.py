"""Calls that are counted, timed, and steps of the pass that makes them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from podwright.agent.clock import SystemClock
from podwright.agent.metrics.runtime import RuntimeMetrics
from podwright.agent.runtime.measured import MeasuredCriClient
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.timeline import Step


async def test_a_pass_shows_the_call_that_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    may_answer = asyncio.Event()

    async def answer(*arguments: Any) -> api.VersionResponse:
        await may_answer.wait()
        return api.VersionResponse(runtime_name="slow")

    monkeypatch.setattr(CriClient, "call", answer)
    async with MeasuredCriClient("unix:///nowhere.sock", RuntimeMetrics(), SystemClock()) as cri:
        with Step("sync") as step:
            asking = asyncio.create_task(cri.call(cri.runtime.Version, api.VersionRequest()))
            await asyncio.sleep(0)
            assert step.under_way() == ["sync", "Version"]
            may_answer.set()
            assert (await asking).runtime_name == "slow"
            assert step.under_way() == ["sync"]
