"""The `Reviews` of an API server."""

from __future__ import annotations

from collections.abc import Sequence

from podwright.agent.server.auth.reviews import Decision, NodeAccess, RequestUser
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.objects import (
    ResourceAttributes,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
    TokenReview,
    TokenReviewSpec,
)


class ApiReviews:
    """Sends TokenReviews and SubjectAccessReviews to the API server."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    async def review_token(self, token: str, audiences: Sequence[str]) -> RequestUser | None:
        spec = TokenReviewSpec(token=token, audiences=tuple(audiences))
        status = (await self._server.create(TokenReview(spec=spec))).status
        if not status.authenticated:
            return None
        return RequestUser(
            name=status.user.username, uid=status.user.uid, groups=status.user.groups, extra=dict(status.user.extra)
        )

    async def review_access(self, user: RequestUser, access: NodeAccess) -> Decision:
        attributes = ResourceAttributes(
            verb=access.verb, version="v1", resource="nodes", subresource=access.subresource, name=access.node
        )
        spec = SubjectAccessReviewSpec(
            user=user.name, uid=user.uid, groups=user.groups, extra=dict(user.extra), resource_attributes=attributes
        )
        status = (await self._server.create(SubjectAccessReview(spec=spec))).status
        if status is None:
            return Decision(allowed=False, reason="the API server did not decide")
        return Decision(allowed=status.allowed, reason=status.reason or status.evaluation_error)
