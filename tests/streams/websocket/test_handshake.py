"""The WebSocket handshake: two sides that agree, and requests and answers that are not for each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.streams.errors import ProtocolError
from podwright.streams.upgrade import Response, UpgradeRequest
from podwright.streams.websocket import handshake

OFFERED = ["v5.channel.k8s.io", "v4.channel.k8s.io"]


def asked(offered: list[str], **changed: str | None) -> tuple[UpgradeRequest, str]:
    """A client's request, some headers changed or (None) left out; and its key."""
    key = handshake.new_key()
    headers = {**dict(handshake.request_headers(key, offered)), **{k.replace("_", "-"): v for k, v in changed.items()}}
    kept = tuple((name, value) for name, value in headers.items() if value is not None)
    return UpgradeRequest(method="GET", target="/", headers=kept), key


def answered(request: UpgradeRequest, chosen: str) -> Response:
    return Response(status=101, headers=tuple(handshake.answer_headers(request, chosen)))


@pytest.mark.parametrize("offered", [OFFERED, ["channel.k8s.io"], [handshake.TUNNEL]])
def test_both_sides_agree(offered: list[str]) -> None:
    request, key = asked(offered)
    assert handshake.offered_protocols(request) == offered
    assert handshake.chosen_protocol(answered(request, offered[-1]), key, offered) == offered[-1]


def test_no_protocol_is_a_protocol() -> None:
    request, key = asked([])
    assert handshake.choose_channels(handshake.offered_protocols(request)) == ""
    assert handshake.chosen_protocol(answered(request, ""), key, []) == ""


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], ""),
        (OFFERED, OFFERED[0]),
        (["chat", *OFFERED], OFFERED[0]),
        (["chat", "v9.channel.k8s.io"], None),
    ],
)
def test_the_first_that_is_known_is_chosen(offered: list[str], chosen: str | None) -> None:
    assert handshake.choose_channels(offered) == chosen


@pytest.mark.parametrize(
    "changed",
    [{"sec_websocket_version": "8"}, {"sec_websocket_version": None}, {"sec_websocket_key": None}],
)
def test_a_request_that_is_none_is_refused(changed: dict[str, str | None]) -> None:
    request, _ = asked(OFFERED, **changed)
    with pytest.raises(ProtocolError):
        handshake.answer_headers(request, "")


def test_an_answer_to_somebody_else_is_refused() -> None:
    request, _ = asked(OFFERED)
    with pytest.raises(ProtocolError, match="does not match"):
        handshake.chosen_protocol(answered(request, OFFERED[0]), handshake.new_key(), OFFERED)


def test_a_choice_that_was_not_offered_is_refused() -> None:
    request, key = asked(OFFERED)
    with pytest.raises(ProtocolError, match="not offered"):
        handshake.chosen_protocol(answered(request, "chat"), key, OFFERED)


@given(name=st.text(max_size=40))
def test_any_name_is_a_protocol_or_none(name: str) -> None:
    protocol = handshake.channel_protocol(name)
    assert protocol is None or 1 <= protocol.version <= 5
