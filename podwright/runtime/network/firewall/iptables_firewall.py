"""The rules set by iptables."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from podwright.process import ProcessRunner
from podwright.runtime.network.firewall import iptables
from podwright.runtime.network.firewall.programs import run
from podwright.runtime.network.firewall.rules import Published, Scope


class IptablesFirewall:
    """Our own chains, and four jumps to them. It reads before it writes, so changes run one at a time."""

    def __init__(self, runner: ProcessRunner, *, tables: frozenset[str], program: str = "iptables") -> None:
        """`tables`: see Firewall. Legacy iptables sends no notifications."""
        self._runner = runner
        self._program = program
        self.tables = tables
        self._turn = asyncio.Lock()

    async def prepare(self, scope: Scope, pods: Collection[Published]) -> None:
        async with self._turn:
            listing = await self._listing()
            if iptables.lost(scope, listing, pods):
                await self._apply(iptables.setup(scope, listing, pods))

    async def narrow(self, scope: Scope, pods: Collection[Published]) -> None:
        async with self._turn:
            await self._apply(iptables.setup(scope, await self._listing(), pods))

    async def lost(self, scope: Scope, pods: Collection[Published]) -> tuple[str, ...]:
        async with self._turn:
            return iptables.lost(scope, await self._listing(), pods)

    async def publish(self, scope: Scope, pods: Collection[Published]) -> None:
        async with self._turn:
            listing = await self._listing()
            if iptables.lost(scope, listing, ()):
                await self._apply(iptables.setup(scope, listing, ()))
            stale = iptables.withdraw(scope, listing, [pod.veth for pod in pods])
            await self._apply(stale + iptables.publish(scope, pods))

    async def withdraw(self, scope: Scope, pod: Published) -> None:
        async with self._turn:
            await self._apply(iptables.withdraw(scope, await self._listing(), [pod.veth]))

    async def purge(self, scope: Scope, live: Mapping[str, str]) -> None:
        async with self._turn:
            listing = await self._listing()
            stale = iptables.published_veths(scope, listing) - live.keys()
            await self._apply(iptables.withdraw(scope, listing, stale))

    async def remove(self, scope: Scope) -> None:
        async with self._turn:
            listing = await self._listing()
            pods = iptables.published_veths(scope, listing)
            await self._apply(iptables.withdraw(scope, listing, pods) + iptables.remove(scope, listing))

    async def _listing(self) -> iptables.Listing:
        texts = [await run(self._runner, (self._program, "-w", "-t", table, "-S"), "") for table in iptables.TABLES]
        nat, raw = (frozenset(text.splitlines()) for text in texts)
        return iptables.Listing(nat=nat, raw=raw)

    async def _apply(self, rules: str) -> None:
        if rules:
            await run(self._runner, (f"{self._program}-restore", "-w", "--noflush"), rules)
