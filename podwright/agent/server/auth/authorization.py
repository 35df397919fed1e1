"""Decides whether a user may send a request."""

from __future__ import annotations

from podwright.agent.clock import Clock
from podwright.agent.server.auth.cache import AnswerCache
from podwright.agent.server.auth.reviews import Decision, NodeAccess, RequestUser, Reviews


class RequestAuthorizer:
    """Asks the API server (mode Webhook) and keeps its answers, or allows everything (mode AlwaysAllow)."""

    def __init__(self, reviews: Reviews | None, clock: Clock, *, allowed_ttl_s: float, denied_ttl_s: float) -> None:
        """Without `reviews`, everything is allowed."""
        self._reviews = reviews
        self._kept: AnswerCache[Decision] = AnswerCache(
            clock, lambda decision: allowed_ttl_s if decision.allowed else denied_ttl_s
        )

    async def decide(self, user: RequestUser, access: NodeAccess) -> Decision:
        """Decide. Raises PodwrightError if the API server does not answer."""
        reviews = self._reviews
        if reviews is None:
            return Decision(allowed=True)
        key = (user, tuple(sorted(user.extra.items())), access)
        return await self._kept.get(key, lambda: reviews.review_access(user, access))
