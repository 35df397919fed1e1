"""The network for the room of sandboxes: attach, detach, readiness. Chooses between CNI and the built-in bridge.

Each attach chooses again, by [network] mode and the CNI directory's current content. Each detach follows the records
of both networks, independent of the current choice.
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

LOOK_AGAIN_AFTER_S = 5.0  # the interval of a kubelet's Status calls
UNDO_TIMEOUT_S = 60.0


class NetworkService:
    """Pod networking. All calls run on one event loop. Calls for one sandbox run one after the other."""

    def __init__(self, settings: NetworkSettings, database: Database, runner: ProcessRunner) -> None:
        """Reads its records and changes nothing. Raises InvalidArgument for invalid settings."""
        self._mode = settings.mode
        self._bridge = BridgeNetwork(settings, database, runner)
        self._cni = CniNetwork(settings, database, runner)
        self._trouble = ""
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._background = Tasks()
        self._undoing = Tasks()

    async def start(self) -> None:
        """Inspect the host, so that `readiness` has an answer. Changes nothing. `readiness` reports problems."""
        await self._look()

    async def recover(self, known: Collection[SandboxId]) -> None:
        """Undo everything of sandboxes that are not in `known`. What cannot be undone now stays on record.

        Afterwards, CNI CHECK runs in the background. Its results are logged.
        """
        for network in (self._bridge, self._cni):
            try:
                await network.recover(known)
            except PodwrightError as failure:
                log.warning("cannot clean up network: error=%s", failure)
        self._background.start(self._cni.check_all(), name="CNI CHECK")

    async def readiness(self) -> Readiness:
        """CRI's NetworkReady condition as last known. A check in the background updates it.

        After another program changed the built-in bridge, it waits a moment for the repair.
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
        """Give new pods addresses of CRI's `pod_cidr`, if the built-in bridge is used. An empty text changes nothing.

        Raises InvalidArgument for an invalid pod CIDR, and FailedPrecondition for one that something else uses.
        """
        networks = parse_pod_cidrs(text)
        if networks and self._uses_cni(present=self._cni.look().present):
            log.info("pod_cidr is ignored, a CNI configuration assigns addresses: pod_cidr=%s", text)
            return
        for network in networks:
            if isinstance(network, IPv4Network):
                check_room(network)
                await self._bridge.move(network)
            else:
                log.info("pod_cidr is ignored, the built-in bridge has no IPv6: pod_cidr=%s", network)

    async def attach(self, request: NetworkRequest) -> Attachment:
        """Attach a sandbox. After any failure or cancellation, the attachment is undone before the error is raised.

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
        """Detach a sandbox, whether its attachment is complete or not, and with or without its namespace.

        Raises PodwrightError if something remains. Then the call may be repeated.
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
        """Finish work in progress. Remove the bridge and its rules if no pod uses them."""
        await self._background.close()
        await self._undoing.settle(UNDO_TIMEOUT_S)
        await self._bridge.close()

    def _uses_cni(self, *, present: bool) -> bool:
        return self._mode == "cni" or (self._mode == "auto" and present)

    async def _look(self) -> None:
        """Ask the current network whether it can take a pod, and note the answer."""
        if self._uses_cni(present=self._cni.look().present):
            trouble = await self._cni.status()
        else:
            trouble = await self._bridge.trouble()
        if trouble and trouble != self._trouble:
            log.warning("network is not ready: error=%s", trouble)
        self._trouble = trouble
        self._looked_at = asyncio.get_running_loop().time()

    async def _undo(self, request: NetworkRequest) -> None:
        """Detach after a failed attach. Runs in a task of its own, so that a second cancellation does not stop it."""
        task = self._undoing.job(self._detach_quietly(request), name=f"undo network {request.sandbox_id}")
        await asyncio.wait([task], timeout=UNDO_TIMEOUT_S)

    async def _detach_quietly(self, request: NetworkRequest) -> None:
        try:
            await self.detach(request, None)
        except (PodwrightError, OSError) as failure:
            log.warning("cannot undo failed attach: error=%s", failure)
