"""The former addresses of pods, for plugins with the capability `ips`. Called by `network`.

Other plugins know the pod only by name and namespace (CNI_ARGS), and decide by themselves whether it gets the same
addresses again.
"""

from __future__ import annotations

import time

from podwright.runtime.model.base import Value
from podwright.runtime.model.sandbox import SandboxName
from podwright.runtime.network.cni.config import NetworkList
from podwright.runtime.state import Database, RecordTable

CAPABILITY = "ips"
REMEMBERED_PODS = 4096


class LastAddresses(Value, frozen=True, kw_only=True):
    """Addresses with prefix lengths, such as `10.0.0.5/24`. `since` is in nanoseconds since the epoch."""

    network: str
    addresses: tuple[str, ...]
    since: int


class AddressMemory:
    """The recorded addresses by pod."""

    def __init__(self, database: Database) -> None:
        self._table: RecordTable[LastAddresses] = RecordTable(database, "network_cni_addresses", LastAddresses)
        self._records = dict(sorted(self._table.load().items(), key=lambda item: item[1].since))

    def recall(self, name: SandboxName, network: NetworkList) -> tuple[str, ...]:
        """The pod's former addresses on this network. Empty if no plugin has the capability."""
        last = self._records.get(_key(name))
        return last.addresses if last is not None and last.network == network.name and _can_ask(network) else ()

    def remember(self, name: SandboxName, network: NetworkList, addresses: tuple[str, ...]) -> None:
        """Record the pod's addresses."""
        if not _can_ask(network):
            return
        key = _key(name)
        self._records.pop(key, None)
        self._records[key] = LastAddresses(network=network.name, addresses=addresses, since=time.time_ns())
        self._table.put(key, self._records[key])
        if len(self._records) > REMEMBERED_PODS:
            oldest = next(iter(self._records))
            del self._records[oldest]
            self._table.delete(oldest)


def _key(name: SandboxName) -> str:
    return f"{name.namespace}/{name.name}"


def _can_ask(network: NetworkList) -> bool:
    return any(CAPABILITY in plugin.capabilities for plugin in network.plugins)
