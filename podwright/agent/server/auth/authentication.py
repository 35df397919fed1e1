"""Finds the user of a request: the subject of a client certificate, the owner of a token, or the anonymous user.

Like the kubelet's authenticator it refuses wrong credentials even where none are needed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
from collections.abc import Iterable, Mapping

from podwright.agent.clock import Clock
from podwright.agent.server.auth.cache import AnswerCache
from podwright.agent.server.auth.reviews import RequestUser, Reviews
from podwright.agent.server.http.messages import HttpRequest

AUTHENTICATED = "system:authenticated"
ANONYMOUS = RequestUser(name="system:anonymous", groups=("system:unauthenticated",))
SUBPROTOCOL_PREFIX = "base64url.bearer.authorization.k8s.io."
SECOND_NS = 1_000_000_000


class Authenticator:
    """Finds the user of a request."""

    def __init__(self, reviews: Reviews | None, clock: Clock, *, anonymous: bool, token_ttl_s: float) -> None:
        """Without `reviews`, tokens are ignored."""
        self._reviews = reviews
        self._clock = clock
        self._anonymous = anonymous
        self._tokens: AnswerCache[RequestUser | None] = AnswerCache(clock, lambda _: token_ttl_s)

    async def user_of(self, request: HttpRequest) -> RequestUser | None:
        """The user. None if the request must be refused. Raises PodwrightError if a review fails."""
        wrong = False
        if request.certificate is not None:
            user = user_of_certificate(request.certificate, self._clock.now_ns() // SECOND_NS)
            if user is not None:
                return _authenticated(user)
            wrong = True
        token = bearer_token(request.header("authorization")) or subprotocol_token(
            request.head.values("sec-websocket-protocol")
        )
        if token and self._reviews is not None:
            user = await self._user_of_token(self._reviews, token)
            if user is not None:
                return _authenticated(user)
            wrong = True
        return ANONYMOUS if self._anonymous and not wrong else None

    async def _user_of_token(self, reviews: Reviews, token: str) -> RequestUser | None:
        key = hashlib.sha256(token.encode(errors="surrogateescape")).digest()  # no token stays in memory for long
        return await self._tokens.get(key, lambda: reviews.review_token(token, ()))


def _authenticated(user: RequestUser) -> RequestUser:
    if AUTHENTICATED in user.groups:
        return user
    return RequestUser(name=user.name, uid=user.uid, groups=(*user.groups, AUTHENTICATED), extra=user.extra)


def user_of_certificate(certificate: Mapping[str, object], now_s: float) -> RequestUser | None:
    """The common name as the user, and organizations as groups. None without a name, or after the certificate's end.

    `ssl` has verified the chain, but at the start of the connection, which may be long ago.
    """
    expiry = certificate.get("notAfter")
    if isinstance(expiry, str) and ssl.cert_time_to_seconds(expiry) < now_s:
        return None
    subject = certificate.get("subject")
    pairs = [pair for part in subject for pair in part] if isinstance(subject, tuple) else []
    names = [value for key, value in pairs if key == "commonName"]
    if not names or not names[-1]:
        return None
    return RequestUser(name=names[-1], groups=tuple(value for key, value in pairs if key == "organizationName"))


def bearer_token(header: str) -> str:
    """The token of an Authorization header, or an empty text."""
    parts = header.strip().split(" ")
    return parts[1] if len(parts) >= 2 and parts[0].lower() == "bearer" else ""


def subprotocol_token(protocols: Iterable[str]) -> str:
    """The token that a browser sends as a WebSocket subprotocol, or an empty text."""
    for each in protocols:
        if each.startswith(SUBPROTOCOL_PREFIX):
            encoded = each.removeprefix(SUBPROTOCOL_PREFIX)
            try:
                return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
            except (binascii.Error, ValueError):
                return ""
    return ""
