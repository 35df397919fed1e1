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
        """As `Firewall.prepare`. If others changed the table so that it cannot be repaired, it is created again."""
        rules = nft.setup(scope) + nft.publish(scope, pods)
        try:
            await self._apply(rules)
        except FailedPrecondition:
            await self._apply(nft.remove(scope) + rules)

    async def narrow(self, scope: Scope, pods: Collection[Published]) -> None:
        try:
            await self._apply(nft.replace_subnets(scope))
        except FailedPrecondition:  # the table does not exist
            await self.prepare(scope, pods)

    async def lost(self, scope: Scope, pods: Collection[Published]) -> tuple[str, ...]:
        listing = await self._listing(scope)
        if listing is None:
            return (f"nftables table {scope.bridge}",)
        return _read(lambda: nft.lost(scope, listing, pods))

    async def publish(self, scope: Scope, pods: Collection[Published]) -> None:
        """As `Firewall.publish`. Creates the table again if another program flushed it."""
        rules = nft.publish(scope, pods)
        if not rules:
            return
        try:
            await self._apply(rules)
        except FailedPrecondition:
            await self._apply(nft.setup(scope) + rules)

    async def withdraw(self, scope: Scope, pod: Published) -> None:
        rules = nft.withdraw(scope, [pod])
        if not rules:
            return
        try:
            await self._apply(rules)
        except FailedPrecondition:  # part of it is absent
            await self._withdraw_where(scope, lambda address: address == pod.address)

    async def purge(self, scope: Scope, live: Mapping[str, str]) -> None:
        addresses = frozenset(live.values())
        await self._withdraw_where(scope, lambda address: address not in addresses)

    async def remove(self, scope: Scope) -> None:
        await self._apply(nft.remove(scope))

    async def _withdraw_where(self, scope: Scope, gone: Callable[[str], bool]) -> None:
        listing = await self._listing(scope)
        if listing is None:
            return
        rules = _read(lambda: nft.withdraw_where(scope, listing, gone))
        if rules:
            await self._apply(rules)

    async def _listing(self, scope: Scope) -> str | None:
        """The table as JSON, or None if it does not exist."""
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
