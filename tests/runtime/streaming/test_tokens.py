"""Tokens work once, for a minute, and are bounded."""

from __future__ import annotations

import pytest

from podwright.errors import ResourceExhausted
from podwright.runtime.streaming.tokens import PENDING_LIMIT, TIME_TO_LIVE_S, Tokens


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_token_stands_for_its_request_once() -> None:
    tokens = Tokens[str](Clock())
    first, second = tokens.add("first"), tokens.add("second")
    assert first != second
    assert tokens.take(second) == "second"
    assert tokens.take(second) is None
    assert tokens.take(first) == "first"


def test_an_unknown_token_stands_for_nothing() -> None:
    tokens = Tokens[str](Clock())
    tokens.add("request")
    assert tokens.take("AAAAAAAA") is None
    assert tokens.take("") is None


def test_a_token_expires() -> None:
    clock = Clock()
    tokens = Tokens[str](clock)
    token = tokens.add("request")
    clock.now_s += TIME_TO_LIVE_S - 0.1
    later = tokens.add("later")
    clock.now_s += 0.2
    assert tokens.take(token) is None
    assert tokens.take(later) == "later"


def test_too_many_are_refused_until_some_expire() -> None:
    clock = Clock()
    tokens = Tokens[int](clock)
    for number in range(PENDING_LIMIT):
        tokens.add(number)
    with pytest.raises(ResourceExhausted):
        tokens.add(-1)
    clock.now_s += TIME_TO_LIVE_S
    assert tokens.take(tokens.add(-1)) == -1
