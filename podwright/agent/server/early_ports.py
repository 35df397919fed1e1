"""Binds the agent's ports before its modules are loaded, which takes most of the start.

A client that connects meanwhile waits for its answer, and is not refused as by a node without an agent. This module
imports nothing heavy.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.server.http.sockets import listen_tcp

Place = tuple[str, int]  # address and port


class EarlyPorts:
    """Listening sockets that are not served yet. Each is taken once."""

    def __init__(self) -> None:
        self._sockets: dict[Place, socket.socket] = {}

    def bind(self, config: AgentConfig) -> None:
        """Listen on all ports of the configuration, if the agent will serve them soon.

        Raises FailedPrecondition if one is in use.
        """
        if not _waits(config):
            for place in _places(config):
                self._sockets[place] = listen_tcp(*place)

    def take(self, address: str, port: int) -> socket.socket:
        """The socket of a port, bound now if it was not. Raises FailedPrecondition."""
        return self._sockets.pop((address, port), None) or listen_tcp(address, port)

    def close(self) -> None:
        """Close the sockets that nobody has taken, since it may be long until they are served."""
        for listening in self._sockets.values():
            listening.close()
        self._sockets.clear()


def _waits(config: AgentConfig) -> bool:
    """Whether the agent may wait long at its start: for its turn, or for its first certificate."""
    api = config.api
    return bool(config.process.lock_file or (api.bootstrap_kubeconfig and not os.path.exists(api.kubeconfig)))


def _places(config: AgentConfig) -> Iterator[Place]:
    server = config.server
    if server.enabled:
        yield server.address, server.port
    if server.read_only_port:
        yield server.address, server.read_only_port
    if server.healthz_port:
        yield server.healthz_address, server.healthz_port
