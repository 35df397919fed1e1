"""Which SPDY stream protocol is spoken."""

from __future__ import annotations

import pytest

from podwright.streams import negotiation
from podwright.streams.negotiation import UpgradeRefusal
from podwright.streams.upgrade import Response, UpgradeRequest

KNOWN = ("v4.channel.k8s.io", "v3.channel.k8s.io")


def asked(*offered: str) -> UpgradeRequest:
    return UpgradeRequest(method="POST", target="/", headers=tuple(negotiation.spdy_request_headers(offered)))


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (("v4.channel.k8s.io", "v3.channel.k8s.io"), "v4.channel.k8s.io"),
        (("v5.channel.k8s.io", "v3.channel.k8s.io", "v4.channel.k8s.io"), "v3.channel.k8s.io"),
        (("v9, v3.channel.k8s.io",), "v3.channel.k8s.io"),
    ],
    ids=["the newest", "the client's first that is known", "a list in one header"],
)
def test_the_clients_preference_counts(offered: tuple[str, ...], chosen: str) -> None:
    assert negotiation.choose_spdy(asked(*offered), KNOWN) == chosen


def test_no_name_is_a_bad_request() -> None:
    refusal = negotiation.choose_spdy(asked(), KNOWN)
    assert isinstance(refusal, UpgradeRefusal)
    assert refusal.status == 400


def test_no_known_name_is_refused_with_those_that_are() -> None:
    refusal = negotiation.choose_spdy(asked("v9.channel.k8s.io"), KNOWN)
    assert isinstance(refusal, UpgradeRefusal)
    assert refusal.status == 403
    assert refusal.headers == tuple((negotiation.ACCEPTED_HEADER, name) for name in KNOWN)


@pytest.mark.parametrize(
    ("answered", "offered", "chosen"),
    [
        (("v3.channel.k8s.io",), KNOWN, "v3.channel.k8s.io"),
        ((), KNOWN, None),
        ((), KNOWN[:1], KNOWN[0]),
        (("v9.channel.k8s.io",), KNOWN, None),
        (("v9.channel.k8s.io",), KNOWN[:1], None),
    ],
    ids=["chosen", "silent about many", "silent about one", "not offered", "another than the one"],
)
def test_what_a_client_makes_of_the_answer(
    answered: tuple[str, ...], offered: tuple[str, ...], chosen: str | None
) -> None:
    headers = tuple((negotiation.VERSION_HEADER, name) for name in answered)
    assert negotiation.spdy_chosen(Response(status=101, headers=headers), offered) == chosen
