"""The check before every handler of the API: 401, 403, or the handler's answer. Texts and codes are the kubelet's."""

from __future__ import annotations

import logging

from podwright.agent.server.auth.attributes import accesses
from podwright.agent.server.auth.authentication import Authenticator
from podwright.agent.server.auth.authorization import RequestAuthorizer
from podwright.agent.server.auth.reviews import RequestUser
from podwright.agent.server.http.messages import Answer, Handler, HttpRequest, HttpResponse, text
from podwright.errors import PodwrightError

log = logging.getLogger(__name__)


class Guard:
    """Passes authorized requests on to their handlers."""

    def __init__(self, authenticator: Authenticator, authorizer: RequestAuthorizer, node: str) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._node = node

    async def __call__(self, request: HttpRequest, handler: Handler) -> Answer:
        """The handler's answer, or a refusal."""
        try:
            user = await self._authenticator.user_of(request)
        except PodwrightError as failure:
            log.warning("a request cannot be authenticated: path=%.128r error=%s", request.path, failure)
            user = None
        if user is None:
            return text("Unauthorized", 401)
        refusal = await self._refusal(request, user)
        return refusal if refusal is not None else await handler(request)

    async def _refusal(self, request: HttpRequest, user: RequestUser) -> HttpResponse | None:
        wanted = accesses(request.method, request.path, self._node)
        reason = ""
        for access in wanted:
            try:
                decision = await self._authorizer.decide(user, access)
            except PodwrightError as failure:
                log.warning("a request cannot be authorized: user=%s error=%s", user.name, failure)
                what = f"user={user.name}, verb={access.verb}, resource=nodes, subresource={access.subresource}"
                return text(f"Authorization error ({what})", 500)
            if decision.allowed:
                return None
            reason = decision.reason or reason
        names = " ".join(access.subresource for access in wanted)
        what = f"user={user.name}, verb={wanted[0].verb}, resource=nodes, subresource(s)=[{names}]"
        log.info("a request is forbidden: request=%s reason=%s", what, reason)
        return text(f"Forbidden ({what})\n", 403)
