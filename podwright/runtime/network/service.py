"""The network as the sandbox room sees it: attach, detach, readiness. Chooses between CNI and the built-in bridge.

The choice is made anew for each sandbox ([network] mode, and what the CNI directory holds then); undoing goes by what
each network has on record for the sandbox, whatever the choice would be by now.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from ipaddress import IPv4Network

from podwright.errors import PodwrightError
from podwright.process import ProcessRunner
from podwright.runtime.config import NetworkSettings
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Attachment
from podwright.runtime.network.bridge import BridgeNetwork
from podwright.runtime.network.cni import network as cni
from podwright.runtime.network.cni.network import CniNetwork
from podwright.runtime.network.request import READY, NetworkRequest, Readiness, not_ready
from podwright.runtime.network.subnets import check_room, parse_pod_cidrs
from podwright.runtime.state import Database
from podwright.tasks import Tasks
from podwright.timeline import Step

log = logging.getLogger(__name__)

LOOK_AGAIN_AFTER_S = 5.0  # a kubelet asks for the status as often
UNDO_TIMEOUT_S = 60.0


class NetworkService:
    """Pods on the network. All calls are made on one event loop, each sandbox's one after the other."""

    def __init__(self, settings: NetworkSettings, database: Database, runner: ProcessRunner) -> None:
        """Reads its records; touches nothing. Raises InvalidArgument for settings that cannot be."""
        self._mode = settings.mode
        self._bridge = BridgeNetwork(settings, database, runner)
        self._cni = CniNetwork(settings, database, runner)
        self._trouble = ""
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._background = Tasks()
        self._undoing = Tasks()

    async def start(self) -> None:
        """Look at the host, so that `readiness` has an answer. Changes nothing; trouble is told by `readiness`."""
        await self._look()

    async def recover(self, known: Collection[SandboxId]) -> None:
        """Undo everything of sandboxes that are not in `known`; what cannot be undone now stays on record.

        CNI's plugins are then asked in the background whether their work still stands; the log has their answers.
        """
        for network in (self._bridge, self._cni):
            try:
                await network.recover(known)
            except PodwrightError as failure:
                log.warning("network leftovers stay: %s", failure)
        self._background.start(self._cni.check_all(), name="CNI CHECK")

    async def readiness(self) -> Readiness:
        """CRI's NetworkReady condition. Answers from what is known, and looks again in the background now and then.

        After another program changed what pods on the built-in bridge need, it waits a moment until that is put right.
        """
        found = self._cni.look()
        if self._uses_cni(present=found.present) and found.network is None:
            return not_ready(found.trouble)
        now = asyncio.get_running_loop().time()
        if now - self._looked_at >= LOOK_AGAIN_AFTER_S and (self._looking is None or self._looking.done()):
            self._looking = self._background.start(self._look(), name="network readiness")
        trouble = self._trouble
        if not trouble and not self._uses_cni(present=found.present):
            trouble = await self._bridge.fault()
        return not_ready(trouble) if trouble else READY

    async def set_pod_cidr(self, text: str) -> None:
        """Give new pods addresses of CRI's `pod_cidr`, where the built-in bridge is used; empty changes nothing.

        Raises InvalidArgument for what is no pod CIDR, FailedPrecondition for one that is somebody else's.
        """
        networks = parse_pod_cidrs(text)
        if networks and self._uses_cni(present=self._cni.look().present):
            log.info("pod_cidr %s is passed over: a CNI configuration gives pods their addresses", text)
            return
        for network in networks:
            if isinstance(network, IPv4Network):
                check_room(network)
                await self._bridge.move(network)
            else:
                log.info("pod_cidr %s is passed over: the built-in bridge has no IPv6", network)

    async def attach(self, request: NetworkRequest) -> Attachment:
        """Plug a sandbox in. On any failure, or when cancelled, it is undone before the error goes on.

        Raises FailedPrecondition (a host port in use, no network, a wrong configuration), InvalidArgument,
        ResourceExhausted (no address left), Unavailable, DeadlineExceeded or Internal.
        """
        network = self._cni if self._uses_cni(present=self._cni.look().present) else self._bridge
        try:
            with Step("network"):
                return await network.attach(request)
        except BaseException:
            await self._undo(request)
            raise

    async def detach(self, request: NetworkRequest, attachment: Attachment | None) -> None:
        """Take a sandbox off the network: whole, half or not at all on it, its namespace there or gone.

        Raises PodwrightError when something of it stays; repeating the call is right then.
        """
        with Step("network"):
            await self._detach(request, attachment)

    async def _detach(self, request: NetworkRequest, attachment: Attachment | None) -> None:
        await self._bridge.detach(request.sandbox_id)
        if self._cni.holds(request.sandbox_id):
            await self._cni.detach(request.sandbox_id)
        elif attachment is not None and attachment.backend == cni.BACKEND:
            await self._cni.detach_cached(request.sandbox_id, attachment.detail.get("network", ""))

    async def close(self) -> None:
        """Finish what is under way; the bridge and its rules go when no pod is left on them."""
        await self._background.close()
        await self._undoing.settle(UNDO_TIMEOUT_S)
        await self._bridge.close()

    def _uses_cni(self, *, present: bool) -> bool:
        return self._mode == "cni" or (self._mode == "auto" and present)

    async def _look(self) -> None:
        """Ask the network in use whether it could take a pod, and note the answer."""
        if self._uses_cni(present=self._cni.look().present):
            trouble = await self._cni.status()
        else:
            trouble = await self._bridge.trouble()
        if trouble and trouble != self._trouble:
            log.warning("the network is not ready: %s", trouble)
        self._trouble = trouble
        self._looked_at = asyncio.get_running_loop().time()

    async def _undo(self, request: NetworkRequest) -> None:
        """Detach after a failed attach, in a task of its own: a second cancellation does not stop it."""
        task = self._undoing.job(self._detach_quietly(request), name=f"undo network {request.sandbox_id}")
        await asyncio.wait([task], timeout=UNDO_TIMEOUT_S)

    async def _detach_quietly(self, request: NetworkRequest) -> None:
        try:
            await self.detach(request, None)
        except (PodwrightError, OSError) as failure:
            log.warning("a failed attach left something: %s", failure)
