"""Deletions wait for the kernel to be faster, unless somebody waits for them."""

from __future__ import annotations

import asyncio

from podwright.conformance.patience import patient
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.network.deletions import Deletions

A, B, C = SandboxId("a"), SandboxId("b"), SandboxId("c")


class Links:
    """What was deleted, in turn."""

    def __init__(self) -> None:
        self.gone: list[str] = []
        self.deletions = Deletions()

    def begin(self, *keys: SandboxId) -> None:
        for key in keys:
            self.deletions.begin(key, lambda key=key: self._delete(key))  # type: ignore[misc] # binds the key

    async def _delete(self, key: SandboxId) -> None:
        self.gone.append(key)


async def test_who_waits_for_one_has_it_now() -> None:
    links = Links()
    links.begin(A, B, C)
    await asyncio.sleep(0)
    assert links.gone == []
    await links.deletions.finish(B)
    assert links.gone == ["b"]
    assert (B in links.deletions, A in links.deletions, len(links.deletions)) == (False, True, 2)
    await links.deletions.finish()
    assert links.gone == ["b", "a", "c"]
    assert not links.deletions
    await links.deletions.finish()
    await links.deletions.finish(A)


async def test_all_are_done_in_the_end() -> None:
    links = Links()
    links.begin(A, B)
    async with asyncio.timeout(patient(60)):
        while links.deletions:  # noqa: ASYNC110 # nobody tells us
            await asyncio.sleep(0.01)
    assert sorted(links.gone) == ["a", "b"]
