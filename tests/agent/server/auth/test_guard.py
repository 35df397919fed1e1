"""Who gets through: certificates, tokens, reviews and what is remembered of them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from podwright.agent.server.auth.authentication import (
    Authenticator,
    bearer_token,
    subprotocol_token,
    user_of_certificate,
)
from podwright.agent.server.auth.authorization import RequestAuthorizer
from podwright.agent.server.auth.guard import Guard
from podwright.agent.server.auth.reviews import Decision, NodeAccess, NoReviews, RequestUser, Reviews
from podwright.agent.server.http.messages import Answer, HttpRequest, HttpResponse, text
from podwright.errors import Unavailable
from podwright.streams import upgrade
from tests.agent.fakes.time import VirtualClock, run_virtual

TOKEN_TTL_S, ALLOWED_TTL_S, DENIED_TTL_S = 120.0, 300.0, 30.0
CERTIFICATE = {
    "subject": ((("organizationName", "system:masters"),), (("organizationName", "ops"),), (("commonName", "alice"),)),
    "notAfter": "Jan  1 00:00:00 2100 GMT",
}


class Answers:
    """An API server that knows one token, and allows some things."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = set(allowed)
        self.tokens: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.down = False

    async def review_token(self, token: str, audiences: Sequence[str]) -> RequestUser | None:
        self.tokens.append(token)
        if self.down:
            raise Unavailable("the API server is away")
        return RequestUser(name="robot", uid="7", groups=("robots",)) if token == "good" else None

    async def review_access(self, user: RequestUser, access: NodeAccess) -> Decision:
        self.asked.append((user.name, access.subresource))
        if self.down:
            raise Unavailable("the API server is away")
        return Decision(allowed=access.subresource in self.allowed, reason="the role says so")


def guard(reviews: Reviews, clock: VirtualClock, *, anonymous: bool = False) -> Guard:
    authenticator = Authenticator(reviews, clock, anonymous=anonymous, token_ttl_s=TOKEN_TTL_S)
    authorizer = RequestAuthorizer(reviews, clock, allowed_ttl_s=ALLOWED_TTL_S, denied_ttl_s=DENIED_TTL_S)
    return Guard(authenticator, authorizer, "node1")


def request(path: str = "/pods", *, certificate: Any = None, **headers: str) -> HttpRequest:
    lines = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return HttpRequest(head=upgrade.UpgradeRequest(method="GET", target=path, headers=lines), certificate=certificate)


async def let_through(_: HttpRequest) -> Answer:
    return text("through")


async def ask(of: Guard, asked: HttpRequest) -> tuple[int, str]:
    answer = await of(asked, let_through)
    assert isinstance(answer, HttpResponse)
    assert isinstance(answer.body, bytes)
    return answer.status, answer.body.decode()


def run(work: Coroutine[Any, Any, None]) -> None:
    run_virtual(work)


def test_without_credentials() -> None:
    async def work() -> None:
        reviews = Answers("pods")
        assert await ask(guard(reviews, VirtualClock()), request()) == (401, "Unauthorized")
        assert not reviews.asked
        assert await ask(guard(reviews, VirtualClock(), anonymous=True), request()) == (200, "through")
        assert reviews.asked == [("system:anonymous", "pods")]

    run(work())


def test_wrong_credentials_are_refused_even_where_none_would_do() -> None:
    async def work() -> None:
        reviews = Answers("pods")
        lenient = guard(reviews, VirtualClock(), anonymous=True)
        assert (await ask(lenient, request(authorization="Bearer bad")))[0] == 401
        nameless = {"subject": ((("organizationName", "x"),),), "notAfter": CERTIFICATE["notAfter"]}
        assert (await ask(lenient, request(certificate=nameless)))[0] == 401

    run(work())


def test_a_certificate_is_a_user_with_groups() -> None:
    user = user_of_certificate(CERTIFICATE, 0)
    assert user == RequestUser(name="alice", groups=("system:masters", "ops"))
    assert user_of_certificate(CERTIFICATE, 2**33) is None  # it has expired while the connection lived


def test_a_token_is_reviewed_once_in_its_time() -> None:
    async def work() -> None:
        reviews = Answers("pods")
        of = guard(reviews, VirtualClock())
        for _ in range(3):
            assert (await ask(of, request(authorization="Bearer good")))[0] == 200
            assert (await ask(of, request(authorization="Bearer bad")))[0] == 401
        assert reviews.tokens == ["good", "bad"]
        await asyncio.sleep(TOKEN_TTL_S)
        assert (await ask(of, request(authorization="Bearer good")))[0] == 200
        assert reviews.tokens == ["good", "bad", "good"]

    run(work())


def test_a_crowd_asks_once() -> None:
    async def work() -> None:
        reviews = Answers("pods")
        of = guard(reviews, VirtualClock())
        answers = await asyncio.gather(*(ask(of, request(authorization="Bearer good")) for _ in range(50)))
        assert {status for status, _ in answers} == {200}
        assert (reviews.tokens, reviews.asked) == (["good"], [("robot", "pods")])

    run(work())


def test_decisions_are_kept_those_to_allow_for_longer() -> None:
    async def work() -> None:
        reviews = Answers("stats")
        of = guard(reviews, VirtualClock())
        allowed = request("/stats/summary", certificate=CERTIFICATE)
        denied = request("/pods", certificate=CERTIFICATE)
        message = "Forbidden (user=alice, verb=get, resource=nodes, subresource(s)=[pods proxy])\n"
        for _ in range(2):
            assert (await ask(of, allowed))[0] == 200
            assert await ask(of, denied) == (403, message)
        first = [("alice", "stats"), ("alice", "pods"), ("alice", "proxy")]
        assert reviews.asked == first
        await asyncio.sleep(DENIED_TTL_S)
        reviews.allowed.add("proxy")
        assert (await ask(of, denied))[0] == 200  # any one of them is enough
        assert (await ask(of, allowed))[0] == 200
        assert reviews.asked == [*first, ("alice", "pods"), ("alice", "proxy")]

    run(work())


def test_an_api_server_that_is_away_allows_nothing_and_is_asked_again() -> None:
    async def work() -> None:
        reviews = Answers("pods")
        reviews.down = True
        of = guard(reviews, VirtualClock())
        assert (await ask(of, request(authorization="Bearer good")))[0] == 401
        status, message = await ask(of, request(certificate=CERTIFICATE))
        assert (status, message) == (
            500,
            "Authorization error (user=alice, verb=get, resource=nodes, subresource=pods)",
        )
        reviews.down = False
        assert (await ask(of, request(authorization="Bearer good")))[0] == 200
        assert (await ask(of, request(certificate=CERTIFICATE)))[0] == 200

    run(work())


def test_a_node_without_an_api_server_says_why(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        of = guard(NoReviews(), VirtualClock())
        assert (await ask(of, request(authorization="Bearer good")))[0] == 401
        assert (await ask(of, request(certificate=CERTIFICATE)))[0] == 403

    with caplog.at_level("INFO"):
        run(work())
    assert "no API server to ask" in caplog.text


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        (" Bearer abc ", "abc"),
        ("Basic abc", ""),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("", ""),
    ],
)
def test_bearer_tokens(header: str, token: str) -> None:
    assert bearer_token(header) == token


def test_tokens_in_websocket_protocols() -> None:
    encoded = base64.urlsafe_b64encode(b"good").decode().rstrip("=")
    prefix = "base64url.bearer.authorization.k8s.io."
    assert subprotocol_token(["v4.channel.k8s.io", prefix + encoded]) == "good"
    assert subprotocol_token([prefix + "*", "v4.channel.k8s.io"]) == ""
    assert subprotocol_token([prefix + base64.urlsafe_b64encode(b"\xff\xfe").decode()]) == ""
