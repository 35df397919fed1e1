"""What is spoken on a connection, as a table of request heads."""

from __future__ import annotations

import pytest

from podwright.runtime.streaming import plan as plans
from podwright.runtime.streaming.plan import Carrier, Plan
from podwright.streams.errors import ProtocolError
from podwright.streams.negotiation import UpgradeRefusal
from podwright.streams.upgrade import UpgradeRequest

KEY = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")


def spdy(*versions: str, method: str = "POST") -> UpgradeRequest:
    offered = tuple(("x-stream-protocol-version", version) for version in versions)
    upgrade = (("connection", "Upgrade"), ("upgrade", "SPDY/3.1"))
    return UpgradeRequest(method=method, target="/exec/AAAAAAAA", headers=(*upgrade, *offered))


def websocket(*protocols: str, key: tuple[str, str] = KEY) -> UpgradeRequest:
    upgrade = (("connection", "keep-alive, Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13"), key)
    offered = (("sec-websocket-protocol", ", ".join(protocols)),) if protocols else ()
    return UpgradeRequest(method="GET", target="/exec/AAAAAAAA", headers=(*upgrade, *offered))


REMOTE_COMMANDS = {
    "spdy, the client's favourite": (
        spdy("v4.channel.k8s.io", "v3.channel.k8s.io"),
        (Carrier.SPDY, "v4.channel.k8s.io"),
    ),
    "spdy, the first that is known": (
        spdy("v9.channel.k8s.io", "v2.channel.k8s.io"),
        (Carrier.SPDY, "v2.channel.k8s.io"),
    ),
    "spdy by GET": (spdy("channel.k8s.io", method="GET"), (Carrier.SPDY, "channel.k8s.io")),
    "websocket v5": (websocket("v5.channel.k8s.io"), (Carrier.CHANNELS, "v5.channel.k8s.io")),
    "websocket base64": (websocket("v4.base64.channel.k8s.io"), (Carrier.CHANNELS, "v4.base64.channel.k8s.io")),
    "websocket without a name": (websocket(), (Carrier.CHANNELS, "")),
}
REFUSED_COMMANDS = {
    "spdy without a version": (spdy(), 400),
    "spdy with an unknown version": (spdy("v9.channel.k8s.io"), 403),
    "spdy v5, which there is none of": (spdy("v5.channel.k8s.io"), 403),
    "websocket with an unknown protocol": (websocket("graphql-ws"), 403),
    "websocket with port-forward's tunnel": (websocket("SPDY/3.1+portforward.k8s.io"), 403),
    "no upgrade": (UpgradeRequest(method="GET", target="/exec/AAAAAAAA", headers=(("host", "x"),)), 400),
}


@pytest.mark.parametrize(("request_", "expected"), REMOTE_COMMANDS.values(), ids=REMOTE_COMMANDS)
def test_remote_commands(request_: UpgradeRequest, expected: tuple[Carrier, str]) -> None:
    plan = plans.for_remote_command(request_)
    assert isinstance(plan, Plan)
    assert (plan.carrier, plan.protocol) == expected


@pytest.mark.parametrize(("request_", "status"), REFUSED_COMMANDS.values(), ids=REFUSED_COMMANDS)
def test_refused_remote_commands(request_: UpgradeRequest, status: int) -> None:
    refusal = plans.for_remote_command(request_)
    assert isinstance(refusal, UpgradeRefusal)
    assert refusal.status == status


def test_a_refusal_names_what_would_do() -> None:
    refusal = plans.for_remote_command(spdy("v9.channel.k8s.io"))
    assert isinstance(refusal, UpgradeRefusal)
    assert ("x-accepted-stream-protocol-versions", "v4.channel.k8s.io") in refusal.headers


PORT_FORWARDS = {
    "spdy": (spdy("portforward.k8s.io"), Carrier.SPDY),
    "tunnel": (websocket("SPDY/3.1+portforward.k8s.io"), Carrier.TUNNEL),
    "tunnel or channels, as the client prefers": (
        websocket("v4.channel.k8s.io", "SPDY/3.1+portforward.k8s.io"),
        Carrier.CHANNELS,
    ),
}


@pytest.mark.parametrize(("request_", "carrier"), PORT_FORWARDS.values(), ids=PORT_FORWARDS)
def test_port_forwards(request_: UpgradeRequest, carrier: Carrier) -> None:
    plan = plans.for_port_forward(request_)
    assert isinstance(plan, Plan)
    assert plan.carrier is carrier


def test_port_forward_speaks_no_remote_command() -> None:
    assert isinstance(plans.for_port_forward(spdy("v4.channel.k8s.io")), UpgradeRefusal)


def test_a_websocket_handshake_without_its_key() -> None:
    with pytest.raises(ProtocolError):
        plans.for_remote_command(websocket(key=("x", "y")))


TARGETS = {
    "/exec/abcDEF-_": ("exec", "abcDEF-_"),
    "/attach/abc": ("attach", "abc"),
    "/portforward/abc?x=/../y": ("portforward", "abc"),
    "/cri/exec/abc": None,
    "/exec/": None,
    "/exec/abc/": None,
    "/exec/../attach/abc": None,
    "/exec/a%2fb": None,
    f"/exec/{'a' * 65}": None,
    "*": None,
    "http://host/exec/abc": None,
}


@pytest.mark.parametrize(("target", "expected"), TARGETS.items())
def test_targets(target: str, expected: tuple[str, str] | None) -> None:
    parsed = plans.parse_target(UpgradeRequest(method="POST", target=target, headers=()))
    if expected is None:
        assert isinstance(parsed, UpgradeRefusal)
        assert parsed.status == 404
    else:
        assert parsed == expected


def test_other_methods_are_refused() -> None:
    refusal = plans.parse_target(UpgradeRequest(method="DELETE", target="/exec/abc", headers=()))
    assert isinstance(refusal, UpgradeRefusal)
    assert refusal.status == 405
