"""An event loop of virtual time that is quick and repeatable: no threads, and time passes only when all wait."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

from tests.agent.fakes.time import AtOnce


class _Selector(selectors.SelectSelector):
    """Lets virtual time pass instead of waiting."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everything waits for something that never comes")
        self.passed_s += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(AtOnce, asyncio.SelectorEventLoop):  # type: ignore[misc] # a future of asyncio, not of anybody
    """See the module's text. What would run in a thread runs at once."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.passed_s
