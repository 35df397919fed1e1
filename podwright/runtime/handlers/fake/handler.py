"""The fake as a `Handler`, and its kind."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from podwright.runtime.handlers.fake.host import FakeContainer, FakeHost
from podwright.runtime.handlers.fake.task import FakeTask
from podwright.runtime.handlers.protocol import (
    Bundle,
    Capabilities,
    Handler,
    HandlerRecord,
    Note,
    SandboxBundle,
    SandboxProcess,
    Task,
)
from podwright.runtime.model.container import Container


class FakeHandler:
    """A Handler in memory. A second one on the same host stands for a new daemon."""

    def __init__(self, host: FakeHost, name: str = "fake", capabilities: Capabilities | None = None) -> None:
        self.name = name
        self.capabilities = capabilities or Capabilities()
        self._host = host
        self._numbers = itertools.count(1)

    async def probe(self) -> None:
        pass

    def check(self, bundle: Bundle) -> None:
        pass

    async def edit(self, spec: dict[str, Any], container: Container, /) -> None:
        pass

    async def create(self, bundle: Bundle, note: Note) -> Task:
        container = FakeContainer(bundle)
        record = {"number": next(self._numbers)}
        note(record)
        self._host.containers[bundle.id] = container
        return FakeTask(self._host, bundle, record)

    async def adopt(self, bundle: Bundle, record: HandlerRecord, *, rebooted: bool = False) -> Task | None:
        if not record:
            return None
        if rebooted and (gone := self._host.containers.pop(bundle.id, None)) is not None:
            await gone.tasks.close()
        return FakeTask(self._host, bundle, record)

    async def create_sandbox(self, bundle: SandboxBundle, spec: dict[str, Any]) -> SandboxProcess:
        self._host.sandboxes[bundle.id] = asyncio.Event()
        return SandboxProcess(pid=0, record={"id": bundle.id, "args": spec["process"]["args"]})

    async def wait_sandbox(self, record: HandlerRecord) -> None:
        if (ended := self._host.sandboxes.get(record["id"])) is not None:
            await ended.wait()

    def has_sandbox(self, record: HandlerRecord) -> bool:
        return record["id"] in self._host.sandboxes

    async def stop_sandbox(self, bundle: SandboxBundle) -> None:
        if (ended := self._host.sandboxes.pop(bundle.id, None)) is not None:
            ended.set()

    async def can_checkpoint(self) -> bool:
        return False


class FakeKind:
    """A HandlerKind in memory."""

    def __init__(self, *handlers: FakeHandler) -> None:
        self.handlers: dict[str, Handler] = {handler.name: handler for handler in handlers}

    @property
    def broken(self) -> dict[str, str]:
        return {}

    def of_record(self, name: str) -> Handler:
        return FakeHandler(FakeHost(), name)

    async def end_abandoned(self) -> None:
        pass

    async def sweep(self, known: object) -> None:
        pass

    async def close(self) -> None:
        pass
