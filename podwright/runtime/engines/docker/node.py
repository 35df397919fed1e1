"""The node as CRI's Status shows it: the Engine's runtimes, the network, and whether the Engine answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from podwright.runtime.config import Config
from podwright.runtime.engines.docker.host import EngineHost
from podwright.runtime.engines.protocol import HandlerState, NodeState
from podwright.runtime.network import NetworkService


class EngineNode:
    """A NodeEngine."""

    def __init__(self, config: Config, host: EngineHost, network: NetworkService, trouble: Callable[[], str]) -> None:
        """`trouble` says why the Engine cannot be used now, or nothing."""
        self._config = config
        self._host = host
        self._network = network
        self._trouble = trouble

    @property
    def systemd_cgroups(self) -> bool:
        """Whether systemd creates the cgroups, as the Engine is configured."""
        return self._host.facts.systemd

    async def state(self) -> NodeState:
        """The state as known now. This never waits for the Engine."""
        network, trouble = await self._network.readiness(), self._trouble()
        names = () if trouble else ("", *self._host.facts.runtimes)
        return NodeState(
            handlers=tuple(
                HandlerState(name=name, user_namespaces=False, recursive_read_only_mounts=False) for name in names
            ),
            network_reason="" if network.ready else network.reason,
            network_message=network.message,
            runtime_message=trouble,
            groups_policy=False,
            mount_options=False,
        )

    def document(self) -> dict[str, Any]:
        """The effective configuration, and what the Engine says of itself."""
        facts = msgspec.to_builtins(self._host.facts)
        return {
            **msgspec.to_builtins(self._config),
            "stateDir": self._host.facts.root,
            "dockerEngine": {**facts, "security": sorted(self._host.facts.security)},
        }

    async def set_pod_cidr(self, text: str) -> None:
        """As `NetworkService.set_pod_cidr`."""
        await self._network.set_pod_cidr(text)
