"""What the built-in bridge needs from a firewall, and the choice of one: nft if installed, otherwise iptables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from podwright.errors import FailedPrecondition
from podwright.process import ProcessRunner, has_program
from podwright.runtime.network.firewall.iptables import TABLES
from podwright.runtime.network.firewall.iptables_firewall import IptablesFirewall
from podwright.runtime.network.firewall.nft_firewall import NftFirewall
from podwright.runtime.network.firewall.programs import run
from podwright.runtime.network.firewall.rules import Published, Scope


class Firewall(Protocol):
    """Every method raises FailedPrecondition if the program fails, and DeadlineExceeded if it hangs.

    `tables` are those for which nftables sends notifications. Without any, `lost` must be polled.
    """

    tables: frozenset[str]

    async def prepare(self, scope: Scope, pods: Collection[Published]) -> None:
        """Create or repair the table or chains, with the host ports of `pods`. May be repeated."""

    async def narrow(self, scope: Scope, pods: Collection[Published]) -> None:
        """Masquerade only the subnets of `scope` from now on."""

    async def lost(self, scope: Scope, pods: Collection[Published]) -> tuple[str, ...]:
        """Descriptions of what `prepare` would repair."""

    async def publish(self, scope: Scope, pods: Collection[Published]) -> None:
        """Forward host ports to pods, all at once. May be repeated."""

    async def withdraw(self, scope: Scope, pod: Published) -> None:
        """Remove a pod's host ports. Absent ones succeed."""

    async def purge(self, scope: Scope, live: Mapping[str, str]) -> None:
        """Remove all pods that are not in `live` (veth to address), and what dead daemons left."""

    async def remove(self, scope: Scope) -> None:
        """Remove all our rules. Absent ones succeed."""


async def choose(bridge: str, runner: ProcessRunner) -> Firewall:
    """The firewall for this host. Raises FailedPrecondition if no program is installed."""
    if has_program("nft"):
        return NftFirewall(runner, bridge=bridge)
    if has_program("iptables"):
        version = await run(runner, ("iptables", "--version"), "")
        return IptablesFirewall(runner, tables=frozenset(TABLES) if "nf_tables" in version else frozenset())
    raise FailedPrecondition(
        "the built-in bridge needs nft or iptables", hint="install nftables, or run podwright doctor"
    )
