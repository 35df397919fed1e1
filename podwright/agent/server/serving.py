"""Answers requests: counts them, calls the guard, finds the handler. A failure becomes an answer, too."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from podwright.agent.server.api.request_counts import RequestCounts
from podwright.agent.server.auth.guard import Guard
from podwright.agent.server.http.messages import Answer, HttpRequest, HttpResponse, text
from podwright.agent.server.http.routing import HttpRoute, Router
from podwright.errors import PodwrightError

log = logging.getLogger(__name__)


class HttpService:
    """Answers the requests of one server."""

    def __init__(self, routes: Sequence[HttpRoute], counts: RequestCounts, guard: Guard | None = None) -> None:
        """Without a guard, every client is served."""
        self._router = Router(routes)
        self._counts = counts
        self._guard = guard

    async def __call__(self, request: HttpRequest) -> Answer:
        """The answer. Raises only what cancels it."""
        server_type = "readonly" if self._guard is None else "readwrite"
        try:
            return await self._counts(request, self._guarded, server_type)
        except PodwrightError as failure:
            log.warning("a request failed: path=%.128r error=%s", request.path, failure)
            return text(str(failure), 500)
        except ValueError as failure:  # the query has too many parameters, or the path is not UTF-8
            return text(f"bad request: {failure}", 400)
        except Exception:
            log.exception("a request failed: path=%.128r", request.path)
            return text("Internal Server Error", 500)

    async def _guarded(self, request: HttpRequest) -> Answer:
        if self._guard is None:
            return await self._routed(request)
        return await self._guard(request, self._routed)

    async def _routed(self, request: HttpRequest) -> Answer:
        found = self._router.find(request.method, request.path)
        if isinstance(found, HttpResponse):
            return found
        return await found.handler(replace(request, places=found.places))
