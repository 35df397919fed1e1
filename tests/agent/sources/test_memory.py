"""Pods that code gives."""

from __future__ import annotations

import asyncio

from podwright.agent.sources.memory import MemorySource
from tests.agent.fakes.pods import pod
from tests.agent.fakes.time import run_virtual


def test_the_set_comes_at_once_and_after_each_change() -> None:
    async def run() -> None:
        source = MemorySource([pod("a")])
        sets = source.sets()
        assert [each.metadata.name for each in await anext(sets)] == ["a"]
        source.set([pod("a"), pod("b")])
        assert [each.metadata.name for each in await anext(sets)] == ["a", "b"]
        source.set([])
        assert await anext(sets) == []

    run_virtual(run())


def test_a_reader_that_is_behind_gets_the_newest_set() -> None:
    async def run() -> None:
        source = MemorySource()
        sets = source.sets()
        assert await anext(sets) == []
        source.set([pod("a")])
        source.set([pod("b")])
        assert [each.metadata.name for each in await anext(sets)] == ["b"]

    run_virtual(run())


def test_the_same_set_again_is_no_change() -> None:
    async def run() -> None:
        source = MemorySource([pod("a")])
        sets = source.sets()
        await anext(sets)
        source.set([pod("a")])
        following = asyncio.ensure_future(anext(sets))
        await asyncio.sleep(60)
        assert not following.done()
        source.set([pod("b")])
        assert [each.metadata.name for each in await following] == ["b"]

    run_virtual(run())
