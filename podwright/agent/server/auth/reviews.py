"""Reviews of clients by an API server (TokenReview, SubjectAccessReview)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestUser:
    """The user who sends a request."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


class NodeAccess(msgspec.Struct, frozen=True, kw_only=True):
    """An access that a request needs: a verb on a subresource of a node (v1, resource `nodes`)."""

    verb: str
    subresource: str
    node: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an access is allowed. `reason` is for the log."""

    allowed: bool
    reason: str = ""


class Reviews(Protocol):
    """The reviews of an API server. Both methods raise PodwrightError if it does not answer."""

    async def review_token(self, token: str, audiences: Sequence[str]) -> RequestUser | None:
        """The owner of a token, or None if it is invalid. Without `audiences` it must be for the API server's own."""

    async def review_access(self, user: RequestUser, access: NodeAccess) -> Decision:
        """Whether the user has the access."""


class NoReviews:
    """The reviews of a node without an API server: no token is valid, nothing is allowed."""

    async def review_token(self, token: str, audiences: Sequence[str]) -> RequestUser | None:  # noqa: ARG002 # the protocol's
        return None

    async def review_access(self, user: RequestUser, access: NodeAccess) -> Decision:  # noqa: ARG002 # the protocol's
        return Decision(
            allowed=False,
            reason="authorization.mode is Webhook and the agent has no API server to ask (set --kubeconfig, or "
            "authorization.mode: AlwaysAllow)",
        )
