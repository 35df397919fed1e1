"""The server in a thread of its own, for tests that wait and are not asyncio's."""

from __future__ import annotations

from typing import Any

from podwright.k8s.objects.base import Kind
from tests.harness.apiserver.server import ApiServer
from tests.harness.loop_thread import LoopThread


class ApiServerThread(LoopThread[ApiServer]):
    """An API server, with the calls that tests often need."""

    def __init__(self) -> None:
        super().__init__("api server")
        self._server = ApiServer()

    def start(self) -> None:
        """Listen; after a `stop` on the same port, with the same objects."""
        self._run(self._server.start)

    def stop(self) -> None:
        """Go away: all connections break."""
        self._run(self._server.stop)

    def served(self) -> ApiServer:
        return self._server

    def put(self, obj: Kind) -> Any:
        """Create an object, or replace it whole, behind the API's back."""
        return self.call(lambda server: server.put(obj))

    def get(self, kind: type[Kind], name: str, namespace: str = "") -> Any:
        """The object, or None."""
        return self.call(lambda server: server.get(kind, name, namespace))

    def kubeconfig(self, directory: str) -> str:
        """The path of a kubeconfig for the admin."""
        return self.call(lambda server: server.kubeconfig(directory))
