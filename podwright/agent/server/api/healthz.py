"""`/healthz` and its checks, in the format of Kubernetes' components."""

from __future__ import annotations

from podwright.agent.server.api.errors import plain
from podwright.agent.server.health import Health
from podwright.agent.server.http.messages import Answer, HttpRequest, text

NOSNIFF = (("x-content-type-options", "nosniff"),)


class HealthPaths:
    """The handlers."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def all(self, request: HttpRequest) -> Answer:
        """GET /healthz?verbose&exclude=NAME."""
        well, said = self._health.report(verbose="verbose" in request.query, excluded=request.query.get("exclude", ()))
        return text(said, headers=NOSNIFF) if well else plain(said, 500)

    async def one(self, request: HttpRequest) -> Answer:
        """GET /healthz/NAME."""
        problem = self._health.problem(request.places["check"])
        if problem is None:
            return text("404: Page Not Found", 404)
        return plain(f"internal server error: {problem}", 500) if problem else text("ok")
