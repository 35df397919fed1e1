"""The server in a thread of its own, for tests that wait and are not asyncio's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from podwright.conformance.patience import patient
from podwright.k8s.objects.base import Kind
from tests.harness.apiserver.server import ApiServer

Result = TypeVar("Result")

CALL_TIMEOUT_S = patient(60.0)


class ApiServerThread:
    """`call` runs a function with the server where it lives; the others are calls that tests often need."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="api server", daemon=True)
        self._server = ApiServer()

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self) -> None:
        """Listen; after a `stop` on the same port, with the same objects."""
        asyncio.run_coroutine_threadsafe(self._server.start(), self._loop).result(CALL_TIMEOUT_S)

    def stop(self) -> None:
        """Go away: all connections break."""
        asyncio.run_coroutine_threadsafe(self._server.stop(), self._loop).result(CALL_TIMEOUT_S)

    def call(self, work: Callable[[ApiServer], Result]) -> Result:
        """What `work` returns."""

        async def on_loop() -> Result:
            return work(self._server)

        return asyncio.run_coroutine_threadsafe(on_loop(), self._loop).result(CALL_TIMEOUT_S)

    def put(self, obj: Kind) -> Any:
        """Create an object, or replace it whole, behind the API's back."""
        return self.call(lambda server: server.put(obj))

    def get(self, kind: type[Kind], name: str, namespace: str = "") -> Any:
        """The object, or None."""
        return self.call(lambda server: server.get(kind, name, namespace))

    def kubeconfig(self, directory: str) -> str:
        """The path of a kubeconfig for the admin."""
        return self.call(lambda server: server.kubeconfig(directory))
