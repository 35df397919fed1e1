"""The choice of the node's addresses."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from podwright.agent.node import addresses
from podwright.agent.node.addresses import dns, is_own, node_addresses
from podwright.agent.node.machine import default_addresses

ROUTED = ("192.0.2.7", "fd00::7")
OWN = {*ROUTED, "10.1.1.1", "fd00::1"}


@pytest.mark.parametrize(
    ("given", "name", "named", "chosen"),
    [
        pytest.param((), "n1", (), ("192.0.2.7",), id="that of the default route"),
        pytest.param(("10.9.9.9",), "n1", ("10.1.1.1",), ("10.9.9.9",), id="the given one"),
        pytest.param(("10.9.9.9", "fd00::9"), "n1", (), ("10.9.9.9", "fd00::9"), id="one of each family"),
        pytest.param((), "n1", ("10.1.1.1",), ("10.1.1.1",), id="that of the name"),
        pytest.param((), "n1", ("10.2.2.2",), ("192.0.2.7",), id="a name of another machine"),
        pytest.param((), "n1", ("fd00::1", "10.1.1.1"), ("10.1.1.1",), id="IPv4 comes first"),
        pytest.param((), "n1", ("fd00::1",), ("fd00::1",), id="a name with an IPv6 address alone"),
        pytest.param(("::",), "n1", ("10.1.1.1", "fd00::1"), ("fd00::1",), id="IPv6 is wanted"),
        pytest.param(("::",), "n1", (), ("fd00::7",), id="IPv6 of the default route is wanted"),
        pytest.param(("0.0.0.0",), "n1", (), ("192.0.2.7",), id="IPv4 is wanted"),
        pytest.param((), "10.3.3.3", ("10.1.1.1",), ("10.3.3.3",), id="the name is an address"),
    ],
)
async def test_the_nodes_addresses(
    monkeypatch: pytest.MonkeyPatch,
    given: Sequence[str],
    name: str,
    named: Sequence[str],
    chosen: Sequence[str],
) -> None:
    async def look_up(asked: str) -> Sequence[str]:
        assert asked == name
        return named

    monkeypatch.setattr(addresses, "is_own", OWN.__contains__)
    assert await node_addresses(given, name, ROUTED, look_up) == tuple(chosen)


@pytest.mark.parametrize("text", ["127.0.0.1", "::1", "224.0.0.1", "fe80::1", "0.0.0.0", "198.51.100.77"])
def test_what_is_no_address_of_this_machine(text: str) -> None:
    assert not is_own(text)


def test_an_address_of_this_machine() -> None:
    assert all(is_own(address) for address in default_addresses() if address != "127.0.0.1")


async def test_the_resolver_is_asked() -> None:
    assert {"127.0.0.1", "::1"} & set(await dns("localhost"))
    assert await dns("no such name.invalid") == []
