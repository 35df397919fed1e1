"""Pulls an image: waits for its turn, respects the node's rate, tries all credentials, backs off after failures."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.images.credentials import Login
from podwright.agent.images.limits import PullLimits
from podwright.agent.images.records import PullRecords
from podwright.agent.pods import reasons
from podwright.agent.pods.backoff import KeyedBackoff
from podwright.agent.runtime.protocol import CriImages
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Internal, PodwrightError

log = logging.getLogger(__name__)

SENTINELS = {  # a runtime's message begins with one of these (cri-api/pkg/errors); what they mean
    reasons.REGISTRY_UNAVAILABLE: "the registry is unavailable",
    reasons.SIGNATURE_VALIDATION_FAILED: "the signature validation failed",
}


FORGOTTEN_NS = 3600 * 10**9  # after this a failure does not count any more


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """`reference` is the runtime's answer.

    `took_s` is the time of the pull, `waited_s` that with the wait for its turn.
    """

    reference: str
    took_s: float
    waited_s: float


class _Failure(msgspec.Struct, frozen=True):
    at_ns: int
    text: str


class Puller:
    """Pulls for all pods of the node."""

    def __init__(
        self, images: CriImages, limits: PullLimits, records: PullRecords | None, clock: Clock, backoff: KeyedBackoff
    ) -> None:
        """Without `records`, every pod may use every present image."""
        self._images = images
        self._limits = limits
        self._records = records
        self._clock = clock
        self._backoff = backoff
        self._failures: dict[str, _Failure] = {}

    def waits_until(self, key: str) -> tuple[int, str] | None:
        """The time until which a pull must wait, and its last failure. None if it may begin."""
        failure = self._failures.get(key)
        if failure is None:
            return None
        now_ns = self._clock.now_ns()
        until_ns = self._backoff.until_ns(key, failure.at_ns, now_ns)
        return (until_ns, failure.text) if now_ns < until_ns else None

    def note_failure(self, key: str, text: str) -> int:
        """Note that a pull has failed. Returns the time until which the next one must wait."""
        now_ns = self._clock.now_ns()
        self._backoff.prune(now_ns)
        self._failures = {each: old for each, old in self._failures.items() if abs(now_ns - old.at_ns) < FORGOTTEN_NS}
        self._backoff.next(key, now_ns, now_ns)
        self._failures[key] = _Failure(now_ns, text)
        return self._backoff.until_ns(key, now_ns, now_ns)

    async def pull(
        self, requested: str, image: str, logins: Sequence[Login], sandbox_config: api.PodSandboxConfig
    ) -> Pulled:
        """Pull `image`, which the spec calls `requested`. Raises PodwrightError."""
        began = self._clock.monotonic()
        self._begin(requested)
        used: tuple[str, Login | None] | None = None
        try:
            async with self._limits.turn():
                turn_began = self._clock.monotonic()
                self._limits.begin()
                used = await self._try_each(image, logins, sandbox_config)
        finally:
            if self._records is not None and used is None:
                self._records.failed(requested)
        reference, login = used
        if self._records is not None:
            self._records.succeeded(requested, reference, login)
        now = self._clock.monotonic()
        return Pulled(reference=reference, took_s=now - turn_began, waited_s=now - began)

    def _begin(self, requested: str) -> None:
        if self._records is None:
            return
        try:
            self._records.begin(requested)
        except OSError as failure:
            raise Internal(f"failed to record image pull intent: {failure}") from failure

    async def _try_each(
        self, image: str, logins: Sequence[Login], sandbox_config: api.PodSandboxConfig
    ) -> tuple[str, Login | None]:
        if not logins:
            return await self._images.pull(image, None, sandbox_config), None
        failures: list[PodwrightError] = []
        for login in logins:
            try:
                return await self._images.pull(image, login.credentials, sandbox_config), login
            except PodwrightError as failure:
                log.info("a pull has failed with one of its credentials: image=%s error=%s", image, failure)
                failures.append(failure)
        if len({str(failure) for failure in failures}) == 1:
            raise failures[0]
        raise Internal(f"[{', '.join(str(failure) for failure in failures)}]") from failures[0]


def reason_of(image: str, failure: PodwrightError) -> tuple[str, str]:
    """(the waiting reason, the message) of a failed pull."""
    text = str(failure)
    for sentinel, meaning in SENTINELS.items():
        if text.startswith(sentinel):
            return sentinel, f"image pull failed for {image} because {meaning}{text.removeprefix(sentinel)}"
    return reasons.ERR_IMAGE_PULL, text
