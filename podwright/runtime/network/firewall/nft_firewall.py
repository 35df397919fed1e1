"""The rules set by nft."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from podwright.errors import FailedPrecondition
from podwright.process import Command, ProcessRunner
from podwright.runtime.network.firewall import nft
from podwright.runtime.network.firewall.programs import TIMEOUT_S, run
from podwright.runtime.network.firewall.rules import Published, Scope

Result = TypeVar("Result")


class NftFirewall:
    """One table, named after the bridge."""

    def __init__(self, runner: ProcessRunner, *, bridge: str) -> None:
        self._runner = runner
        self.tables = frozenset({bridge})

    async def prepare(self, scope: Scope, pods: Collection[Published]) -> None:
        """See Firewall.prepare. A table that cannot be put right, since others changed it, is made anew."""
        rules = nft.setup(scope) + nft.publish(scope, pods)
        try:
            await self._apply(rules)
        except FailedPrecondition:
            await self._apply(nft.remove(scope) + rules)

    async def narrow(self, scope: Scope, pods: Collection[Published]) -> None:
        """See Firewall.narrow."""
        try:
            await self._apply(nft.replace_subnets(scope))
        except FailedPrecondition:  # there is no table
            await self.prepare(scope, pods)

    async def lost(self, scope: Scope, pods: Collection[Published]) -> tuple[str, ...]:
        """See Firewall.lost."""
        listing = await self._listing(scope)
        if listing is None:
            return (f"nftables table {scope.bridge}",)
        return _read(lambda: nft.lost(scope, listing, pods))

    async def publish(self, scope: Scope, pods: Collection[Published]) -> None:
        """See Firewall.publish. Makes the table anew when somebody flushed it away."""
        rules = nft.publish(scope, pods)
        if not rules:
            return
        try:
            await self._apply(rules)
        except FailedPrecondition:
            await self._apply(nft.setup(scope) + rules)

    async def withdraw(self, scope: Scope, pod: Published) -> None:
        """See Firewall.withdraw."""
        rules = nft.withdraw(scope, [pod])
        if not rules:
            return
        try:
            await self._apply(rules)
        except FailedPrecondition:  # part of it is not there
            await self._withdraw_where(scope, lambda address: address == pod.address)

    async def purge(self, scope: Scope, live: Mapping[str, str]) -> None:
        """See Firewall.purge."""
        addresses = frozenset(live.values())
        await self._withdraw_where(scope, lambda address: address not in addresses)

    async def remove(self, scope: Scope) -> None:
        """See Firewall.remove."""
        await self._apply(nft.remove(scope))

    async def _withdraw_where(self, scope: Scope, gone: Callable[[str], bool]) -> None:
        listing = await self._listing(scope)
        if listing is None:
            return
        rules = _read(lambda: nft.withdraw_where(scope, listing, gone))
        if rules:
            await self._apply(rules)

    async def _listing(self, scope: Scope) -> str | None:
        """The table as JSON; None when there is no such table."""
        argv = ("nft", "-j", "list", "table", "ip", scope.bridge)
        listed = await self._runner.run(Command(argv=argv, timeout_s=TIMEOUT_S))
        return listed.stdout.decode(errors="replace") if listed.returncode == 0 else None

    async def _apply(self, rules: str) -> None:
        await run(self._runner, ("nft", "-f", "-"), rules)


def _read(parse: Callable[[], Result]) -> Result:
    try:
        return parse()
    except ValueError as failure:
        raise FailedPrecondition(f"nft: {failure}") from failure
