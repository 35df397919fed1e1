"""Decides whether a pod may use a present image (KEP 2535, KubeletEnsureSecretPulledImages).

An image that was pulled with a pod's secret is not for pods without that secret: the registry must let them pull it
again. The records of who pulled what outlive the agent.
"""

from __future__ import annotations

import enum
import itertools
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.images.credentials import Login
from podwright.agent.images.record_files import (
    PullCredentials,
    PulledRecord,
    PullSecret,
    PullServiceAccount,
    RecordFiles,
)
from podwright.agent.images.references import parse_image
from podwright.agent.metrics.images import ImageMetrics
from podwright.agent.runtime.records import ImageStatus
from podwright.errors import PodwrightError

log = logging.getLogger(__name__)

NEVER = "NeverVerify"
PRELOADED = "NeverVerifyPreloadedImages"
ALLOWLISTED = "NeverVerifyAllowlistedImages"
ALWAYS = "AlwaysVerify"
SECRETS_LIMIT = 100  # in one record; with more, known secrets are not renewed


class PullCheck(enum.Enum):
    """The result of the check of a present image, as metrics call it."""

    POLICY_ALLOWED = "credentialPolicyAllowed"
    RECORD_FOUND = "credentialRecordFound"
    MUST_AUTHENTICATE = "mustAuthenticate"
    ERROR = "error"


Source = TypeVar("Source", PullSecret, PullServiceAccount)
FindLogins = Callable[[], Awaitable[Sequence[Login]]]


def must_verify(policy: str, allowlist: Sequence[str], image: str, *, was_pulled_here: bool) -> bool:
    """Whether a pod needs credentials for a present image (imagePullCredentialsVerificationPolicy)."""
    if policy == NEVER:
        return False
    if policy == ALWAYS:
        return True
    if policy == ALLOWLISTED:
        name = parse_image(image).name
        return not any(
            name.startswith(pattern.removesuffix("*")) if pattern.endswith("/*") else name == pattern
            for pattern in allowlist
        )
    return was_pulled_here


class PullRecords:
    """Keeps the records. A record that cannot be written is logged, and its image is then verified again."""

    def __init__(
        self,
        files: RecordFiles,
        clock: Clock,
        *,
        policy: str = PRELOADED,
        allowlist: Sequence[str] = (),
        metrics: ImageMetrics | None = None,
    ) -> None:
        self._files = files
        self._metrics = metrics or ImageMetrics()
        self._clock = clock
        self._policy = policy or PRELOADED
        self._allowlist = allowlist
        self._under_way: Counter[str] = Counter()

    def recover(self, images: Iterable[ImageStatus]) -> None:
        """Record the pulls that succeeded after an earlier agent was killed. Their credentials are unknown."""
        intents = set(self._files.intents())
        for status in images if intents else ():
            for image in intents & {*status.tags, *status.digests}:
                self._record(image, status.id, None)
                self._files.delete_intent(image)

    def begin(self, image: str) -> None:
        """Record that a pull begins.

        Raises OSError: an image without a record of its pull could later be used by every pod.
        """
        self._files.write_intent(image)
        self._under_way[image] += 1

    def succeeded(self, image: str, image_ref: str, login: Login | None) -> None:
        """Record that a pull has succeeded with these credentials. None: anonymously."""
        if self._record(image, image_ref, _as_credentials(login)):
            self._end(image)

    def failed(self, image: str) -> None:
        """Record that a pull has failed."""
        self._end(image)

    def _end(self, image: str) -> None:
        self._under_way[image] -= 1
        if self._under_way[image] > 0:
            return
        del self._under_way[image]
        try:
            self._files.delete_intent(image)
        except OSError as failure:
            log.warning("cannot remove the record of a pull: image=%s error=%s", image, failure)

    async def must_pull(self, image: str, image_ref: str, find_logins: FindLogins) -> bool:
        """Whether a pod must pull a present image again. Raises PodwrightError if its credentials cannot be read."""
        try:
            check = await self._check(image, image_ref, find_logins)
        except PodwrightError:
            self._metrics.must_pull_checks.add(PullCheck.ERROR.value)
            raise
        self._metrics.must_pull_checks.add(check.value)
        return check in (PullCheck.MUST_AUTHENTICATE, PullCheck.ERROR)

    async def _check(self, image: str, image_ref: str, find_logins: FindLogins) -> PullCheck:
        """Check a present image. Raises PodwrightError if the pod's credentials cannot be read."""
        try:
            record = self._files.pulled(image_ref)
            was_pulled_here = record is not None or image in self._under_way or self._files.has_intent(image)
        except (OSError, PodwrightError) as failure:
            log.warning("the records of pulls cannot be read: image=%s error=%s", image, failure)
            return PullCheck.ERROR
        if not must_verify(self._policy, self._allowlist, image, was_pulled_here=was_pulled_here):
            return PullCheck.POLICY_ALLOWED
        known = record.credential_mapping.get(parse_image(image).name) if record is not None else None
        if known is None:
            return PullCheck.MUST_AUTHENTICATE
        if known.node_pods_accessible:
            return PullCheck.RECORD_FOUND
        if not known.kubernetes_secrets and not known.kubernetes_service_accounts:
            return PullCheck.MUST_AUTHENTICATE
        logins = await find_logins()
        secrets = [secret for login in logins if (secret := _secret(login)) is not None]
        accounts = [account for login in logins if (account := _account(login)) is not None]
        has_account = any(account in known.kubernetes_service_accounts for account in accounts[:1])
        is_known = self._is_known(image, image_ref, known, secrets) or has_account
        return PullCheck.RECORD_FOUND if is_known else PullCheck.MUST_AUTHENTICATE

    def _is_known(self, image: str, image_ref: str, known: PullCredentials, secrets: Sequence[PullSecret]) -> bool:
        """Whether the image was pulled before with one of the secrets, or with the same credentials."""
        has_room = len(known.kubernetes_secrets) < SECRETS_LIMIT
        for secret in secrets:
            for each in known.kubernetes_secrets:
                has_same_hash = bool(each.credential_hash) and each.credential_hash == secret.credential_hash
                is_same = _coordinates(each) == _coordinates(secret)
                if has_same_hash or (is_same and has_room):
                    if has_room and has_same_hash is not is_same:
                        self._record(image, image_ref, PullCredentials(kubernetes_secrets=(secret,)))
                    return True
        return False

    def _record(self, image: str, image_ref: str, credentials: PullCredentials | None) -> bool:
        """Add credentials to an image's record. None: unknown credentials. Returns whether that succeeded."""
        try:
            record = self._files.pulled(image_ref)
        except (OSError, PodwrightError):
            record = None
        mapping = merged(record, parse_image(image).name, credentials)
        if mapping is None:
            return True
        try:
            self._files.write_pulled(image_ref, mapping, self._clock.now_ns())
        except OSError as failure:
            log.warning("cannot record a pull: image=%s error=%s", image, failure)
            return False
        return True

    def retain(self, image_refs: Iterable[str], before_ns: int) -> None:
        """Forget all images except these. Images that were pulled after `before_ns`, the time of the list, stay."""
        try:
            self._files.retain(set(image_refs), before_ns)
        except OSError as failure:
            log.warning("cannot remove the records of pulls: error=%s", failure)


def merged(
    record: PulledRecord | None, name: str, credentials: PullCredentials | None
) -> dict[str, PullCredentials] | None:
    """A record's mapping with more credentials. None if nothing changes."""
    if record is None:
        return {name: credentials} if credentials is not None else {}
    known = record.credential_mapping.get(name)
    if credentials is None or credentials == PullCredentials() or (known and known.node_pods_accessible):
        return None
    if known is None or credentials.node_pods_accessible:
        return {**record.credential_mapping, name: credentials}
    more = msgspec.structs.replace(
        known,
        kubernetes_secrets=_joined(known.kubernetes_secrets, credentials.kubernetes_secrets),
        kubernetes_service_accounts=_joined(
            known.kubernetes_service_accounts, credentials.kubernetes_service_accounts
        ),
    )
    return {**record.credential_mapping, name: more} if more != known else None


def _joined(known: tuple[Source, ...], more: tuple[Source, ...]) -> tuple[Source, ...]:
    """Both, sorted by name. Of two sources with the same object the newer one counts."""
    if not more:
        return known
    found = {_coordinates(each): each for each in itertools.chain(known, more)}
    return tuple(found[key] for key in sorted(found))


def _coordinates(secret: PullSecret | PullServiceAccount) -> tuple[str, str, str]:
    return secret.namespace, secret.name, secret.uid


def _secret(login: Login) -> PullSecret | None:
    source = login.secret
    if source is None:
        return None
    return PullSecret(
        uid=source.uid, namespace=source.namespace, name=source.name, credential_hash=source.credential_hash
    )


def _account(login: Login) -> PullServiceAccount | None:
    source = login.account
    if source is None:
        return None
    return PullServiceAccount(uid=source.uid, namespace=source.namespace, name=source.name)


def _as_credentials(login: Login | None) -> PullCredentials:
    if login is not None and (secret := _secret(login)) is not None:
        return PullCredentials(kubernetes_secrets=(secret,))
    if login is not None and (account := _account(login)) is not None:
        return PullCredentials(kubernetes_service_accounts=(account,))
    return PullCredentials(node_pods_accessible=True)
