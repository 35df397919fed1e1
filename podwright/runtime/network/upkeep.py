"""Creates the host's side of the built-in bridge with the first pod, and repairs it while there are pods.

Other programs change the kernel's state: `nft flush ruleset` when nftables restarts, `ip address flush`, a sysctl.
The kernel notifies of most changes (`netlink.changes`), a slow poll finds the others, and what is missing is
repaired. A pod is attached and a Status answered only after all earlier changes were checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterator
from ipaddress import IPv4Interface
from typing import TypeVar

from podwright.errors import FailedPrecondition, PodwrightError
from podwright.process import ProcessRunner
from podwright.runtime.network import bridge_link, links
from podwright.runtime.network.bridge_link import BridgeSpec, BridgeState
from podwright.runtime.network.firewall.backend import Firewall, choose
from podwright.runtime.network.firewall.rules import Published, Scope
from podwright.runtime.network.ipam import veth_address
from podwright.runtime.network.netlink.changes import Changes
from podwright.runtime.network.netlink.notices import Concern
from podwright.runtime.network.threads import in_fresh_thread
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

Result = TypeVar("Result")

POLL_S = 60.0  # for changes without a notification
POLL_UNNOTIFIED_S = 10.0  # if the kernel sends no notifications about rules, as for legacy iptables
RETRY_S = 5.0  # after a failure
PAUSE_S = 1.0  # between checks, regardless of the number of changes
SETTLE_TIMEOUT_S = 2.0  # how long a Status waits for a check
ATTEMPTS = 2  # to repair something before it counts as removed repeatedly


class Upkeep:
    """One bridge. All calls run on one event loop, in the network namespace of the host."""

    def __init__(
        self, name: str, runner: ProcessRunner, *, wanted: Callable[[], BridgeSpec], scope: Callable[[], Scope]
    ) -> None:
        """`wanted` returns the bridge as it must be now, `scope` the scope of its rules. Changes nothing."""
        self._name = name
        self._runner = runner
        self._wanted = wanted
        self._scope = scope
        self._published: dict[str, Published] = {}
        self._firewall: Firewall | None = None
        self._state: BridgeState | None = None
        self._changes: Changes | None = None
        self._suspect = False  # a check began and did not finish
        self._lost: tuple[str, ...] = ()  # what the last check found missing, so that a retry does not log it again
        self._looking = asyncio.Lock()
        self._rules_turn = asyncio.Lock()
        self._tasks = Tasks()
        self._keeping = False
        self.fault = ""  # why something missing could not be repaired; empty: nothing is missing

    async def trouble(self) -> str:
        """Why the first pod could not be attached, or ""."""
        spec = self._wanted()
        try:
            await in_kernel("look at the host's network", lambda: bridge_link.check_overlap(spec))
            await self._rules()
        except PodwrightError as failure:
            return str(failure)
        return ""

    async def ready(self) -> BridgeState:
        """The bridge with its rules, repaired if necessary. Raises PodwrightError."""
        async with self._looking:
            if self._state is None:
                self._state = await self._make()
            elif self._is_disturbed(self._state, Concern.NOW) or not self._is_notified:
                self._state = await self._repair(self._state)
            return self._state

    async def check(self) -> None:
        """Repair what is missing, if there are pods that need it. Raises PodwrightError."""
        async with self._looking:
            if self._state is not None and self._wanted().veths:
                self._state = await self._repair(self._state)
            else:
                self.fault = ""

    async def settle(self) -> None:
        """Wait until noticed changes are checked. `fault` has the result. Returns at once without a change."""
        if not self.fault and (self._state is None or not self._is_disturbed(self._state, Concern.LATER)):
            return
        if self._state is None or not self._wanted().veths:
            self.fault = ""
            return
        task = self._tasks.start(self._check_quietly(), name=f"check {self._name}")
        await asyncio.wait([task], timeout=SETTLE_TIMEOUT_S)
        if not task.done():
            self.fault = self.fault or f"bridge {self._name} is being checked after another program changed something"

    async def publish(self, pods: Collection[Published]) -> None:
        """Forward host ports to pods. Raises PodwrightError."""
        async with self._rules_turn:
            await (await self._rules()).publish(self._scope(), pods)
            self._published.update({pod.veth: pod for pod in pods})

    async def withdraw(self, pod: Published) -> None:
        """Stop forwarding a pod's host ports. Raises PodwrightError."""
        async with self._rules_turn:
            self._published.pop(pod.veth, None)
            await (await self._rules()).withdraw(self._scope(), pod)

    async def follow(self, *, dropped: Collection[IPv4Interface] = ()) -> None:
        """Apply a change of what is wanted. The bridge loses the addresses `dropped`.

        Raises PodwrightError.
        """
        async with self._looking:
            if self._state is None:
                return
            with self._noting_faults():
                spec = self._wanted()
                self._state = await in_kernel("change the bridge", lambda: bridge_link.ensure_bridge(spec))
                async with self._rules_turn:
                    await (await self._rules()).narrow(self._scope(), tuple(self._published.values()))
                gone = [interface for interface in dropped if interface not in spec.addresses]
                await in_kernel("change the bridge", lambda: bridge_link.drop_addresses(self._name, gone))

    async def has_own_bridge(self) -> bool:
        """Whether a bridge of ours exists. One of the same name may be an administrator's, or a CNI plugin's."""
        spec = self._wanted()
        return await in_kernel("look at the bridge", lambda: bridge_link.has_own_bridge(spec))

    async def remove(self) -> None:
        """Remove the rules, and the bridge if it is ours, unless a pod is attached. Raises PodwrightError."""
        if await in_kernel("delete the bridge", lambda: bridge_link.delete_bridge_if_unused(self._name)):
            await (await self._rules()).remove(self._scope())

    async def close(self) -> None:
        """Stop watching."""
        await self._tasks.close()
        if self._changes is not None:
            self._changes.close()

    def _is_disturbed(self, state: BridgeState, least: Concern) -> bool:
        """Whether something of at least this concern has changed. Takes microseconds."""
        return (
            self._suspect
            or (self._changes is not None and self._changes.look() >= least)
            or links.index_of(self._name) != state.index
            or not bridge_link.is_on(f"conf/{self._name}/route_localnet")
        )

    @property
    def _is_notified(self) -> bool:
        """Whether the kernel sends notifications about rules."""
        return self._changes is not None and self._firewall is not None and bool(self._firewall.tables)

    async def _make(self) -> BridgeState:
        """Create what is missing, and withdraw host ports of removed pods."""
        with self._noting_faults():
            state = await self._put_in_place()
            live = {name: address for name in state.ports if (address := veth_address(name))}
            async with self._rules_turn:
                await (await self._rules()).purge(self._scope(), live)
        if not self._keeping:
            self._keeping = True
            self._tasks.start(self._keep(), name=f"keep {self._name}")
        return state

    async def _repair(self, state: BridgeState) -> BridgeState:
        """Repair what other programs removed, then check again."""
        with self._noting_faults():
            for _ in range(ATTEMPTS):
                lost = await self._find_lost()
                if lost and lost != self._lost:
                    log.warning("another program changed the pod network, repairing it: lost=%s", ", ".join(lost))
                self._lost = lost
                if not lost:
                    return state
                state = await self._put_in_place()
            lost = await self._find_lost()
            if lost:
                raise FailedPrecondition(
                    f"another program keeps removing what pods need: {', '.join(lost)}",
                    hint="configure that program to ignore the built-in bridge",
                )
            return state

    @contextlib.contextmanager
    def _noting_faults(self) -> Iterator[None]:
        self._suspect = True
        try:
            yield
        except PodwrightError as failure:
            if str(failure) != self.fault:
                log.warning("cannot repair the pod network: error=%s", failure)
            self.fault = str(failure)
            raise
        self._suspect = False
        self.fault = ""

    async def _find_lost(self) -> tuple[str, ...]:
        if self._changes is not None:
            self._changes.take()
        spec = self._wanted()
        found = await in_kernel("look at the bridge", lambda: bridge_link.look(spec))
        lost = bridge_link.find_missing(spec, found).described(spec.name)
        async with self._rules_turn:
            pods = tuple(self._published.values())
            return lost + await (await self._rules()).lost(self._scope(), pods)

    async def _put_in_place(self) -> BridgeState:
        spec = self._wanted()
        state = await in_kernel("make the bridge", lambda: bridge_link.ensure_bridge(spec))
        await self._listen(state.index)
        async with self._rules_turn:
            await (await self._rules()).prepare(self._scope(), tuple(self._published.values()))
        return state

    async def _listen(self, index: int) -> None:
        """Subscribe to notifications. A kernel without them is polled."""
        firewall = await self._rules()
        if self._changes is not None:
            if self._changes.index == index:
                return
            self._changes.close()
            self._changes = None
        try:
            self._changes = Changes(index, firewall.tables)
        except OSError as failure:
            log.warning("kernel sends no notifications, polling for changes: error=%s", failure)

    async def _keep(self) -> None:
        """Check after each change, and from time to time without one."""
        while True:
            try:
                await self._next_reason()
                await self._check_quietly()
            except Exception:  # the next check may succeed, and without one nothing would be repaired
                log.exception("bridge check failed: bridge=%s", self._name)
            await asyncio.sleep(PAUSE_S)

    async def _next_reason(self) -> None:
        wait_s = RETRY_S if self.fault else POLL_S if self._is_notified else POLL_UNNOTIFIED_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await (self._changes.wait() if self._changes is not None else asyncio.Event().wait())

    async def _check_quietly(self) -> None:
        with contextlib.suppress(PodwrightError):  # `fault` reports it
            await self.check()

    async def _rules(self) -> Firewall:
        if self._firewall is None:
            self._firewall = await choose(self._name, self._runner)
        return self._firewall


async def in_kernel(doing: str, work: Callable[[], Result]) -> Result:
    """Run blocking system calls in a thread. Their OSError becomes a PodwrightError."""
    try:
        return await in_fresh_thread(work)
    except OSError as failure:
        raise links.explain(failure, doing) from failure
