"""The node as CRI's Status shows it: handlers, the network, and what the host can do."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.linux import detached
from podwright.runtime.config import Config
from podwright.runtime.engines.protocol import HandlerState, NodeState
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.network import NetworkService
from podwright.runtime.sandbox.userns import UserNamespaces


class NativeNode:
    """A NodeEngine on this host."""

    def __init__(self, config: Config, handlers: Handlers, network: NetworkService, users: UserNamespaces) -> None:
        self._config = config
        self._handlers = handlers
        self._network = network
        self._users = users

    @property
    def systemd_cgroups(self) -> bool:
        """Whether systemd creates the cgroups."""
        return self._config.containers.cgroup_driver == "systemd"

    async def state(self) -> NodeState:
        """The state as known now. This never waits for slow checks."""
        network, users = await self._network.readiness(), not await self._users.lacking()
        return NodeState(
            handlers=self._handler_states(user_namespaces=users),
            network_reason="" if network.ready else network.reason,
            network_message=network.message,
            user_namespaces=users,
        )

    def _handler_states(self, *, user_namespaces: bool) -> tuple[HandlerState, ...]:
        configured = {handler.name: handler for handler in self._handlers.all()}
        default = configured.get(self._handlers.default)
        named = {"": default, **configured} if default is not None else configured
        return tuple(
            HandlerState(
                name=name,
                user_namespaces=user_namespaces and handler.capabilities.user_namespaces,
                recursive_read_only_mounts=detached.is_supported(),
            )
            for name, handler in named.items()
        )

    def document(self) -> dict[str, Any]:
        """The effective configuration. critest reads the filesystem of containerd's `stateDir` from it."""
        return {**msgspec.to_builtins(self._config), "stateDir": f"{self._config.root}/containers"}

    async def set_pod_cidr(self, text: str) -> None:
        """As `NetworkService.set_pod_cidr`."""
        await self._network.set_pod_cidr(text)
