"""Registers the node with the API server and reports its status.

The status is computed every ten seconds, and at once when the runtime has changed. It is written when more than its
heartbeats has changed, or when the last write is five minutes ago. In between the lease shows that the node is alive.
Labels of the platform that somebody changed are put back with it (pkg/kubelet/kubelet_node_status.go of
Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable

import msgspec
from msgspec.structs import replace

from podwright.agent.clock import Clock, utc_now
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.node.conditions import ConditionChange, changes, is_ready
from podwright.agent.node.current import CurrentNode
from podwright.agent.node.object import NodeFindings, differs, node_status, with_labels, with_platform
from podwright.errors import AlreadyExists, NotFound, PermissionDenied, PodwrightError
from podwright.k8s.client.patch import strategic
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.objects import Node
from podwright.k8s.strategic import difference

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 7.0  # between tries to register
UNREADY_PERIOD_S = 0.2  # the period until the node has been ready once
SETTLE_LOOKS, SETTLE_PAUSE_S = 60, 0.05  # how long a node that was ready stays so while the agent starts
JITTER = 0.5  # a part of the report period, so that nodes do not all write at once
STATUS = "status"


class KeeperPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the keeper needs."""

    server: ApiServer
    node: CurrentNode
    findings: Callable[[], Awaitable[NodeFindings]]  # what the status is made of, now; it always succeeds
    set_pod_cidr: Callable[[str], Awaitable[None]]  # informs the runtime; raises PodwrightError
    on_registered: Callable[[], None]
    events: EventRecorder
    clock: Clock


class KeeperSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See KubeletConfiguration: registerNode, nodeStatusUpdateFrequency, nodeStatusReportFrequency."""

    registers: bool = True
    update_period_s: float = 10.0
    report_period_s: float = 300.0


class NodeKeeper:
    """Registers the node, then reports its status."""

    def __init__(self, ports: KeeperPorts, settings: KeeperSettings) -> None:
        self._ports = ports
        self._settings = settings
        self._wake = asyncio.Event()
        self._reported_at: float | None = None
        self._report_period_s = settings.report_period_s
        self._pod_cidr = ""
        self._problem = ""
        self._was_ready = False

    def look_again(self) -> None:
        """Compute the node's status now, because something has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Register the node, then report forever."""
        await self._register()
        self._ports.on_registered()
        await self._settle()
        while True:
            await self._report()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._period_s()):
                    await self._wake.wait()
            self._wake.clear()

    async def _settle(self) -> None:
        """After a restart, wait until the agent knows the node's state.

        Everything that the agent has not examined yet counts as a problem. To report that at once would make
        schedulers and load balancers avoid the node.
        """
        if not is_ready(self._ports.node.node.status.conditions):
            return
        for _ in range(SETTLE_LOOKS):
            if not (await self._ports.findings()).problems:
                return
            await asyncio.sleep(SETTLE_PAUSE_S)

    def _period_s(self) -> float:
        """Shorter until the node has been ready once, so that pods come soon after its start."""
        period_s = self._settings.update_period_s
        self._was_ready = self._was_ready or is_ready(self._ports.node.node.status.conditions)
        return period_s if self._was_ready else min(period_s, UNREADY_PERIOD_S)

    # -- registration

    async def _register(self) -> None:
        pause_s, problem = FIRST_PAUSE_S, ""
        while True:
            try:
                node = await self._create() if self._settings.registers else await self._get()
            except PodwrightError as failure:
                if str(failure) != problem:
                    log.warning("the node is not registered, and will be tried again: error=%s", failure)
                problem = str(failure)
            else:
                self._ports.node.take(node)
                self._announce()
                log.info("the node is registered: node=%s uid=%s", node.metadata.name, node.metadata.uid)
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _announce(self) -> None:
        """Record the events of a start. Like a kubelet, also for a node that already exists."""
        self._ports.events.node("Normal", "Starting", "Starting kubelet.")
        for change in changes((), self._ports.node.node.status.conditions):
            self._tell(change)

    def _tell(self, change: ConditionChange) -> None:
        name = self._ports.node.node.metadata.name
        self._ports.events.node("Normal", change.reason, f"Node {name} status is now: {change.reason}")

    async def _create(self) -> Node:
        """Create the node, or set this agent's labels on an existing one. Returns the server's version."""
        wanted = self._ports.node.node
        try:
            return await self._ports.server.create(wanted)
        except (AlreadyExists, PermissionDenied) as failure:
            # A server may refuse to create an object that it lets us read.
            try:
                found = await self._get()
            except NotFound:
                raise failure from None
        body = difference(found, with_labels(found, wanted))
        return await self._ports.server.patch(Node, found.metadata.name, strategic(body)) if body else found

    async def _get(self) -> Node:
        return await self._ports.server.get(Node, self._ports.node.node.metadata.name)

    # -- status

    async def _report(self) -> None:
        """Make one round. A failure is logged, and the next round tries again."""
        try:
            await self._write_status()
        except PodwrightError as failure:
            if str(failure) != self._problem:
                log.warning("the node's status is not written: error=%s", failure)
            self._problem = str(failure)
        else:
            self._problem = ""

    async def _write_status(self) -> None:
        ports = self._ports
        node = ports.node.node
        await self._follow_pod_cidr(node)
        findings, now = await ports.findings(), utc_now(ports.clock)
        status = node_status(node.status, findings, node.metadata.name, now)
        wanted = replace(with_platform(node, findings.machine), status=status)
        is_change = differs(node.status, status) or wanted.metadata != node.metadata
        if not is_change and not self._is_report_due():
            return
        body = difference(node, wanted)
        written = await ports.server.patch(Node, node.metadata.name, strategic(body), subresource=STATUS)
        for change in changes(node.status.conditions, status.conditions):
            self._tell(change)
        ports.node.take(written)
        self._reported_at = ports.clock.monotonic()
        spread = random.uniform(-JITTER, JITTER) if is_change else 0.0  # noqa: S311 # no secret
        self._report_period_s = self._settings.report_period_s * (1 + spread)

    def _is_report_due(self) -> bool:
        if self._reported_at is None:
            return True
        return self._ports.clock.monotonic() - self._reported_at >= self._report_period_s

    async def _follow_pod_cidr(self, node: Node) -> None:
        """Send the range of pod addresses that the cluster gave to the node to the runtime."""
        cidr = ",".join(node.spec.pod_cidrs or (node.spec.pod_cidr,) if node.spec.pod_cidr else ())
        if cidr and cidr != self._pod_cidr:
            try:
                await self._ports.set_pod_cidr(cidr)
            except PodwrightError as failure:  # the node's state is reported all the same
                log.warning("the runtime has no range of pod addresses yet: cidr=%s error=%s", cidr, failure)
                return
            log.info("the node has a range of pod addresses: cidr=%s", cidr)
            self._pod_cidr = cidr
