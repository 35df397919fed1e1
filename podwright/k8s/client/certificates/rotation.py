"""Keeps a certificate valid: requests the first one, and a new one before it expires or when its hosts change."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

import msgspec

from podwright.errors import FailedPrecondition, PodwrightError
from podwright.k8s.client.certificates.files import CertificateFiles
from podwright.k8s.client.certificates.keys import KeyMaker, Subject
from podwright.k8s.client.certificates.schedule import renewal_at
from podwright.k8s.client.certificates.signing import CertificatePurpose, certified
from podwright.k8s.client.certificates.x509 import hosts_of
from podwright.k8s.client.endpoint import KeyPair
from podwright.k8s.client.listwatch.backoff import Backoff
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.client.tls import check_key_pair

log = logging.getLogger(__name__)

SIGNING_TIMEOUT_S = 900.0  # client-go's
# The wall clock decides, and may jump: it is looked at so often at least.
LONGEST_SLEEP_S = 3600.0
# A signer dates certificates back: one for a few minutes may be due at once, and must not be requested in a loop.
LEAST_S = 10.0


class WantedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate to request: `subject` gives its subject, None while that is not known (no addresses yet)."""

    purpose: CertificatePurpose
    subject: Callable[[], Subject | None]


class Rotation:
    """One certificate. `run` never ends by itself. `changed` is called with each new one."""

    def __init__(
        self,
        api: ApiServer,
        files: CertificateFiles,
        keys: KeyMaker,
        wanted: WantedCertificate,
        *,
        changed: Callable[[KeyPair], None] = lambda _: None,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._api = api
        self._files = files
        self._keys = keys
        self._wanted = wanted
        self._changed = changed
        self._now = now
        self._chance = chance
        self._backoff = Backoff(chance)
        self._wake = asyncio.Event()
        self._asked_for: Subject | None = None
        self.failure: PodwrightError | None = None

    def look_again(self) -> None:
        """Compare the subject now, because it may have changed: the node has other addresses."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        due = self._due()
        while True:
            self._wake.clear()
            subject = self._wanted.subject()
            if subject is not None and (self._now() >= due or self._other(subject)):
                try:
                    await self._renew(subject)
                    due, self.failure = max(self._due(), self._now() + LEAST_S), None
                except PodwrightError as failure:
                    await self._wait(failure)
                    continue
            await self._sleep(due - self._now() if subject is not None else LONGEST_SLEEP_S)

    def _due(self) -> float:
        current = self._files.current()
        return renewal_at(current[1], self._chance()) if current else 0.0

    def _other(self, subject: Subject) -> bool:
        """Whether the certificate in use is for other hosts.

        A signer's change of the hosts that we requested does not count.
        """
        if self._asked_for is not None:
            return self._asked_for != subject
        current = self._files.current()
        return current is not None and hosts_of(current[0].certificate) != subject.hosts()

    async def _renew(self, subject: Subject) -> None:
        made = await self._keys.make(subject)
        certificate = await certified(self._api, made, self._wanted.purpose, timeout_s=SIGNING_TIMEOUT_S)
        pair = KeyPair(certificate=certificate, key=made.key)
        check_key_pair(pair, f"the certificate for {subject.common_name}")
        path = self._files.store(pair)
        if self._files.current() is None:
            raise FailedPrecondition(f"{path}: the signer gave a certificate that cannot be read")
        self._asked_for = subject
        log.info("a new certificate: subject=%s file=%s", subject.common_name, path)
        self._changed(pair)

    async def _wait(self, failure: PodwrightError) -> None:
        self.failure = failure
        wait_s = self._backoff.wait_s(asyncio.get_running_loop().time())
        log.warning("no new certificate, trying again: seconds=%.1f error=%s", wait_s, failure)
        await asyncio.sleep(wait_s)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(min(max(seconds, 0.0), LONGEST_SLEEP_S)):
                await self._wake.wait()
        except TimeoutError:
            pass
