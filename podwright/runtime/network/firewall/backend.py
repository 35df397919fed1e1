"""What the built-in bridge asks of a firewall, and which one it gets: nft when the host has it, iptables otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from podwright.errors import FailedPrecondition
from podwright.process import ProcessRunner
from podwright.runtime.network.firewall.iptables import TABLES
from podwright.runtime.network.firewall.iptables_firewall import IptablesFirewall
from podwright.runtime.network.firewall.nft_firewall import NftFirewall
from podwright.runtime.network.firewall.programs import has_program, run
from podwright.runtime.network.firewall.rules import Published, Scope


class Firewall(Protocol):
    """Every call raises FailedPrecondition when the program fails, DeadlineExceeded when it hangs.

    `tables` are those whose changes nftables notifies of: empty when nothing tells, and `lost` has to be asked.
    """

    tables: frozenset[str]

    async def prepare(self, scope: Scope, pods: Collection[Published]) -> None:
        """Make the table or the chains, or put them right, with the host ports of `pods`; may be repeated."""

    async def narrow(self, scope: Scope, pods: Collection[Published]) -> None:
        """Masquerade the subnets of `scope` and no others from now on."""

    async def lost(self, scope: Scope, pods: Collection[Published]) -> tuple[str, ...]:
        """What `prepare` would put right, in a person's terms."""

    async def publish(self, scope: Scope, pods: Collection[Published]) -> None:
        """Let host ports lead to pods, all at once; may be repeated."""

    async def withdraw(self, scope: Scope, pod: Published) -> None:
        """Stop that; nothing there is fine."""

    async def purge(self, scope: Scope, live: Mapping[str, str]) -> None:
        """Withdraw every pod that is not in `live` (veth -> address), and what is left of dead daemons."""

    async def remove(self, scope: Scope) -> None:
        """Remove everything of ours; nothing there is fine."""


async def choose(bridge: str, runner: ProcessRunner) -> Firewall:
    """The firewall that this host can have. Raises FailedPrecondition when it has no program for one."""
    if has_program("nft"):
        return NftFirewall(runner, bridge=bridge)
    if has_program("iptables"):
        version = await run(runner, ("iptables", "--version"), "")
        return IptablesFirewall(runner, tables=frozenset(TABLES) if "nf_tables" in version else frozenset())
    raise FailedPrecondition(
        "the built-in bridge needs nft or iptables", hint="install nftables, or run podwright doctor"
    )
