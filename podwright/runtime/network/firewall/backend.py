"""Setting the rules: nft when the host has it, iptables otherwise. Called by `bridge` alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from podwright.errors import FailedPrecondition
from podwright.process import Command, ProcessRunner
from podwright.process.runner import find_executable
from podwright.runtime.network.firewall import iptables, nft
from podwright.runtime.network.firewall.rules import Published, Scope

TIMEOUT_S = 15.0


class Firewall(Protocol):
    """Every call raises FailedPrecondition when the program fails, DeadlineExceeded when it hangs."""

    async def prepare(self) -> None:
        """Make the table or the chains; may be repeated. Host ports that are published stay."""

    async def publish(self, pods: Collection[Published]) -> None:
        """Let host ports lead to pods, all at once; may be repeated."""

    async def withdraw(self, pod: Published) -> None:
        """Stop that; nothing there is fine."""

    async def purge(self, live: Mapping[str, str]) -> None:
        """Withdraw every pod that is not in `live` (veth -> address), and what is left of dead daemons."""

    async def remove(self) -> None:
        """Remove everything of ours; nothing there is fine."""


def choose(scope: Scope, runner: ProcessRunner) -> Firewall:
    """The firewall that this host can have. Raises FailedPrecondition when it has no program for one."""
    for program, kind in (("nft", NftFirewall), ("iptables", IptablesFirewall)):
        try:
            find_executable(program)
        except FailedPrecondition:
            continue
        return kind(scope, runner)
    raise FailedPrecondition(
        "the built-in bridge needs nft or iptables", hint="install nftables, or run podwright doctor"
    )


class NftFirewall:
    """One table, named after the bridge."""

    def __init__(self, scope: Scope, runner: ProcessRunner) -> None:
        self._scope = scope
        self._runner = runner

    async def prepare(self) -> None:
        """See Firewall.prepare."""
        await self._apply(nft.setup(self._scope))

    async def publish(self, pods: Collection[Published]) -> None:
        """See Firewall.publish. Makes the table anew when somebody flushed it away."""
        rules = nft.publish(self._scope, pods)
        if not rules:
            return
        try:
            await self._apply(rules)
        except FailedPrecondition:
            await self._apply(nft.setup(self._scope) + rules)

    async def withdraw(self, pod: Published) -> None:
        """See Firewall.withdraw."""
        rules = nft.withdraw(self._scope, [pod])
        if not rules:
            return
        try:
            await self._apply(rules)
        except FailedPrecondition:  # part of it is not there
            await self._withdraw_where(lambda address: address == pod.address)

    async def purge(self, live: Mapping[str, str]) -> None:
        """See Firewall.purge."""
        addresses = frozenset(live.values())
        await self._withdraw_where(lambda address: address not in addresses)

    async def _withdraw_where(self, gone: Callable[[str], bool]) -> None:
        argv = ("nft", "-j", "list", "table", "ip", self._scope.bridge)
        listed = await self._runner.run(Command(argv=argv, timeout_s=TIMEOUT_S))
        if listed.returncode != 0:  # no such table
            return
        try:
            rules = nft.withdraw_where(self._scope, listed.stdout.decode(errors="replace"), gone)
        except ValueError as failure:
            raise FailedPrecondition(f"{argv[0]}: {failure}") from failure
        if rules:
            await self._apply(rules)

    async def remove(self) -> None:
        """See Firewall.remove."""
        await self._apply(nft.remove(self._scope))

    async def _apply(self, rules: str) -> None:
        await _run(self._runner, ("nft", "-f", "-"), rules)


class IptablesFirewall:
    """Chains of our own, and four jumps to them. Reads before it writes, so one change at a time."""

    def __init__(self, scope: Scope, runner: ProcessRunner) -> None:
        self._scope = scope
        self._runner = runner
        self._turn = asyncio.Lock()

    async def prepare(self) -> None:
        """See Firewall.prepare."""
        async with self._turn:
            await self._prepare(await self._listing())

    async def publish(self, pods: Collection[Published]) -> None:
        """See Firewall.publish."""
        async with self._turn:
            listing = await self._listing()
            await self._prepare(listing)
            present = iptables.published_veths(self._scope, listing)
            stale = iptables.withdraw(self._scope, present & {pod.veth for pod in pods})
            await self._apply(stale + iptables.publish(self._scope, pods))

    async def withdraw(self, pod: Published) -> None:
        """See Firewall.withdraw."""
        async with self._turn:
            present = iptables.published_veths(self._scope, await self._listing())
            await self._apply(iptables.withdraw(self._scope, present & {pod.veth}))

    async def purge(self, live: Mapping[str, str]) -> None:
        """See Firewall.purge."""
        async with self._turn:
            present = iptables.published_veths(self._scope, await self._listing())
            await self._apply(iptables.withdraw(self._scope, present - live.keys()))

    async def remove(self) -> None:
        """See Firewall.remove."""
        async with self._turn:
            listing = await self._listing()
            if iptables.exists(self._scope, listing):
                pods = iptables.published_veths(self._scope, listing)
                await self._apply(iptables.withdraw(self._scope, pods) + iptables.remove(self._scope))

    async def _prepare(self, listing: str) -> None:
        if not iptables.exists(self._scope, listing):
            await self._apply(iptables.setup(self._scope))

    async def _listing(self) -> str:
        return await _run(self._runner, ("iptables", "-w", "-t", "nat", "-S"), "")

    async def _apply(self, rules: str) -> None:
        if rules:
            await _run(self._runner, ("iptables-restore", "-w", "--noflush"), rules)


async def _run(runner: ProcessRunner, argv: tuple[str, ...], stdin: str) -> str:
    done = await runner.run(Command(argv=argv, timeout_s=TIMEOUT_S, stdin=stdin.encode()))
    if done.returncode != 0:
        raise FailedPrecondition(f"{argv[0]}: {done.error_text()}")
    return done.stdout.decode(errors="replace")
