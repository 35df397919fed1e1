"""The certificates of all pods of this node: requested, renewed, and forgotten with their pods.

A volume that needs a certificate calls `certificate`, and gets none at first. From then on this module follows the
request, and has the volume set up again when there is an answer. Nothing is kept over a restart of the agent: as in a
kubelet, all certificates are requested again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Collection, Iterator

import msgspec
from msgspec.structs import replace

from podwright.agent.clock import Clock
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.metrics.prometheus import Family, gauge
from podwright.agent.node.current import CurrentNode
from podwright.agent.objects.following import FollowedObjects
from podwright.agent.objects.versions import NewestVersion
from podwright.agent.pod_certificates.keys import PodKeyMaker
from podwright.agent.pod_certificates.requests import VERSIONS, new_request
from podwright.agent.pod_certificates.states import ABANDON_AFTER_S, JITTER_S, Certificate, Waiting, decide
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.k8s.client.protocol import ApiServer, Selection
from podwright.k8s.objects import Pod, PodCertificateProjection, PodCertificateRequest, ServiceAccount
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

GATE = "PodCertificateRequest"
REFRESH_S = 60.0  # all certificates are checked after this to twice this time
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0  # after a failure
AT_ONCE = 4  # concurrent requests


class _CertificateKey(msgspec.Struct, frozen=True, kw_only=True):
    """One source of one projected volume."""

    uid: str
    volume: str
    index: int


class _IssuedEntry(msgspec.Struct, kw_only=True):
    """A certificate and its use. `retry_at` is in seconds of the monotonic clock."""

    pod: Pod
    projection: PodCertificateProjection
    certificate: Certificate = msgspec.field(default_factory=Certificate)
    failure: PodwrightError | None = None
    pause_s: float = 0.0
    retry_at: float = 0.0


class PodCertificates:
    """Holds all certificates, and makes the requests."""

    def __init__(
        self, server: ApiServer, node: CurrentNode, clock: Clock, *, chance: Callable[[], float] = random.random
    ) -> None:
        self._server = server
        self._node = node
        self._clock = clock
        self._chance = chance
        self._version = NewestVersion(server, VERSIONS, "PodCertificateRequests", GATE)
        self._entries: dict[_CertificateKey, _IssuedEntry] = {}
        self._looks_wanted = asyncio.Event()
        self._listeners: list[Callable[[str], None]] = []
        self._is_on = False

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the UID of each pod that has a new certificate, or a final refusal."""
        self._listeners.append(listener)

    def certificate(
        self, pod: Pod, volume: str, index: int, projection: PodCertificateProjection
    ) -> tuple[bytes, bytes]:
        """The key and the chain (PEM) of source number `index` of a volume. The first call starts the request.

        Raises FailedPrecondition if there will be none, and Unavailable if there is none yet.
        """
        if not self._is_on:
            raise FailedPrecondition(
                f"podCertificate of signer {projection.signer_name} is turned off on this node",
                hint=f"set the agent's feature gate {GATE}",
            )
        key = _CertificateKey(uid=pod.metadata.uid, volume=volume, index=index)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _IssuedEntry(pod=pod, projection=projection)
            self._looks_wanted.set()
        entry.pod = pod
        if entry.failure is not None and entry.certificate.issued is None:
            raise entry.failure
        return entry.certificate.credentials()

    def retain(self, uids: Collection[str]) -> None:
        """Forget the certificates of all pods except these."""
        self._entries = {key: entry for key, entry in self._entries.items() if key.uid in uids}

    def families(self) -> Iterator[Family]:
        """The kubelet's metric of certificates by signer and state."""
        counts: dict[tuple[str, str], int] = {}
        for entry in self._entries.values():
            state = (entry.projection.signer_name, entry.certificate.word(self._now()))
            counts[state] = counts.get(state, 0) + 1
        yield gauge(
            "kubelet_podcertificate_states",
            "Gauge vector reporting the number of pod certificate projected volume sources, "
            "faceted by signer_name and state.",
            (({"signer_name": signer, "state": state}, float(count)) for (signer, state), count in counts.items()),
        )

    async def run(self, keys: PodKeyMaker, events: EventRecorder) -> None:
        """Run until cancelled. The watch of requests starts with the first one."""
        self._is_on = True
        await self._looks_wanted.wait()
        await self._node.registered.wait()
        version = await self._find_version()
        selection = Selection(fields=f"spec.nodeName={self._node.node.metadata.name}")
        requests = FollowedObjects(self._server, version, selection)
        tasks = Tasks()
        requests.start()
        tasks.start(self._look_on_change(requests), name="answers to requests for pods' certificates")
        try:
            await self._look_again_and_again(version, requests, keys, events)
        finally:
            await tasks.close()
            await requests.close()

    async def _find_version(self) -> type[PodCertificateRequest]:
        """Wait until the server has a version of the API. Returns the newest."""
        while True:
            try:
                return await self._version.find()
            except PodwrightError as failure:
                for entry in self._entries.values():
                    entry.failure = failure
                log.warning("pods get no certificates: error=%s", failure)
            await asyncio.sleep(LONGEST_PAUSE_S)

    async def _look_on_change(self, requests: FollowedObjects[PodCertificateRequest]) -> None:
        while True:
            await requests.changed()
            self._looks_wanted.set()

    async def _look_again_and_again(
        self,
        version: type[PodCertificateRequest],
        requests: FollowedObjects[PodCertificateRequest],
        keys: PodKeyMaker,
        events: EventRecorder,
    ) -> None:
        await requests.synced()
        limit = asyncio.Semaphore(AT_ONCE)

        async def request(entry: _IssuedEntry) -> None:
            async with limit:
                await self._request(version, keys, entry)

        while True:
            self._looks_wanted.clear()
            seen = {(each.metadata.namespace, each.metadata.name): each for each in requests.listed() or ()}
            wanting = [entry for entry in self._entries.values() if self._decide(entry, seen, events)]
            await asyncio.gather(*(request(entry) for entry in wanting))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await self._looks_wanted.wait()

    def _decide(
        self, entry: _IssuedEntry, seen: dict[tuple[str, str], PodCertificateRequest], events: EventRecorder
    ) -> bool:
        """Take over the answer to a request. Returns whether a new request is due."""
        before = entry.certificate
        waiting = before.waiting
        request = seen.get((entry.pod.metadata.namespace, waiting.name)) if waiting is not None else None
        decision = decide(before, request, self._now(), self._chance())
        entry.certificate = after = decision.certificate
        for reason, message in decision.warnings:
            events.pod(entry.pod, "Warning", reason, message)
        if after.issued is not before.issued or after.refused is not before.refused:
            log.info("a certificate of a pod: pod=%s state=%s", entry.pod.metadata.name, after.word(self._now()))
            for listener in self._listeners:
                listener(entry.pod.metadata.uid)
        return decision.wants_request and self._clock.monotonic() >= entry.retry_at

    async def _request(self, version: type[PodCertificateRequest], keys: PodKeyMaker, entry: _IssuedEntry) -> None:
        pod, projection = entry.pod, entry.projection
        try:
            account = await self._server.get(
                ServiceAccount, pod.spec.service_account_name or "default", namespace=pod.metadata.namespace
            )
            made = await keys.make(projection.key_type)
            wanted = new_request(version, pod, projection, account, self._node.node, made.request)
            created = await self._server.create(wanted)
        except PodwrightError as failure:
            entry.failure = failure
            entry.pause_s = min(max(2 * entry.pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            entry.retry_at = self._clock.monotonic() + entry.pause_s
            log.warning("a pod's certificate cannot be requested: pod=%s error=%s", pod.metadata.name, failure)
            return
        entry.failure, entry.pause_s, entry.retry_at = None, 0.0, 0.0
        abandon_at = self._now() + ABANDON_AFTER_S + self._chance() * JITTER_S
        waiting = Waiting(name=created.metadata.name, key=made.key.encode(), abandon_at=abandon_at)
        entry.certificate = replace(entry.certificate, waiting=waiting)
        self._looks_wanted.set()  # the answer may have come before its name was known

    def _pause_s(self) -> float:
        now = self._clock.monotonic()
        retries = [entry.retry_at - now for entry in self._entries.values() if entry.failure is not None]
        return max(0.0, min([REFRESH_S * (1 + self._chance()), *retries]))

    def _now(self) -> float:
        return self._clock.now_ns() / 1e9
