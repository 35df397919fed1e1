"""Tokens of service accounts for pods: requested, kept, and renewed before they expire.

The rules are those of the kubelet's token manager (pkg/kubelet/token of Kubernetes 1.36): a token is renewed at 80 %
of its life or after a day, and a failed renewal is harmless while the old token is valid.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection

import msgspec

from podwright.agent.clock import Clock
from podwright.errors import PodwrightError, Unavailable
from podwright.k8s.client.failures import Forbidden
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.objects import (
    BoundObjectReference,
    Pod,
    ServiceAccount,
    ServiceAccountTokenProjection,
    TokenRequest,
    TokenRequestSpec,
)

log = logging.getLogger(__name__)

DEFAULT_ACCOUNT = "default"
DEFAULT_EXPIRATION_S = 3600
LONGEST_USE_S = 24 * 3600.0
RENEWAL_PART = 0.8  # of a token's life
JITTER_S = 10.0
# The API server refuses the token of a pod that its own caches do not show on this node yet.
REFUSED_PAUSES_S = (0.05, 0.1, 0.2)


class _TokenKey(msgspec.Struct, frozen=True, kw_only=True):
    pod_uid: str
    namespace: str
    account: str
    audience: str
    expiration_s: int


class KnownToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token. Times are seconds since the epoch. `renew_at` is when to request a new one."""

    text: str
    expires_at: float
    renew_at: float


class PodTokens:
    """The tokens by account, audience and pod."""

    def __init__(self, server: ApiServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock
        self._tokens: dict[_TokenKey, KnownToken] = {}

    async def token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> bytes:
        """A token that is valid for a while. Raises PodwrightError."""
        return (await self.current(pod, projection)).text.encode()

    async def current(self, pod: Pod, projection: ServiceAccountTokenProjection) -> KnownToken:
        """The same with its times. Raises PodwrightError."""
        key = _TokenKey(
            pod_uid=pod.metadata.uid,
            namespace=pod.metadata.namespace,
            account=pod.spec.service_account_name or DEFAULT_ACCOUNT,
            audience=projection.audience,
            expiration_s=projection.expiration_seconds or DEFAULT_EXPIRATION_S,
        )
        known, now = self._tokens.get(key), self._now()
        if known is not None and now < known.renew_at:
            return known
        try:
            token = await self._request(key, pod)
        except PodwrightError as failure:
            if known is None or now >= known.expires_at:
                raise
            log.warning(
                "a token is not renewed yet: serviceaccount=%s/%s error=%s", key.namespace, key.account, failure
            )
            return known
        self._tokens[key] = token
        return token

    def retain(self, uids: Collection[str]) -> None:
        """Forget the tokens of all pods except these."""
        self._tokens = {key: token for key, token in self._tokens.items() if key.pod_uid in uids}

    async def _request(self, key: _TokenKey, pod: Pod) -> KnownToken:
        spec = TokenRequestSpec(
            audiences=(key.audience,) if key.audience else (),
            expiration_seconds=key.expiration_s,
            bound_object_ref=BoundObjectReference(
                api_version="v1", kind="Pod", name=pod.metadata.name, uid=pod.metadata.uid
            ),
        )
        answer = await self._ask(key, TokenRequest(spec=spec))
        status = answer.status
        if not status.token or status.expiration_timestamp is None:
            raise Unavailable(f"the API server sent no token for service account {key.namespace}/{key.account}")
        expires_at = status.expiration_timestamp.timestamp()
        life_s = float(answer.spec.expiration_seconds or key.expiration_s)
        jitter_s = random.uniform(0, JITTER_S)  # noqa: S311 # no secret: it spreads the requests
        renew_at = min(expires_at - life_s + LONGEST_USE_S, expires_at - (1 - RENEWAL_PART) * life_s) - jitter_s
        return KnownToken(text=status.token, expires_at=expires_at, renew_at=renew_at)

    async def _ask(self, key: _TokenKey, request: TokenRequest) -> TokenRequest:
        for pause_s in REFUSED_PAUSES_S:
            try:
                return await self._ask_once(key, request)
            except Forbidden:
                await asyncio.sleep(pause_s)
        return await self._ask_once(key, request)

    async def _ask_once(self, key: _TokenKey, request: TokenRequest) -> TokenRequest:
        return await self._server.create_subresource(
            ServiceAccount, key.account, "token", request, namespace=key.namespace
        )

    def _now(self) -> float:
        return self._clock.now_ns() / 1e9
