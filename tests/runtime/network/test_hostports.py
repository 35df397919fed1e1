"""Which host ports a request means, and when two of them clash."""

from __future__ import annotations

import pytest

from podwright.errors import InvalidArgument
from podwright.runtime.model.sandbox import PortMapping, Protocol
from podwright.runtime.network.hostports import overlaps, wanted
from podwright.runtime.network.port_holder import parse_inodes


def port(
    host_port: int, host_ip: str = "", protocol: Protocol = Protocol.TCP, container_port: int = 80
) -> PortMapping:
    return PortMapping(container_port=container_port, host_port=host_port, protocol=protocol, host_ip=host_ip)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([port(0), port(-1)], (), id="no host port"),
        pytest.param([port(80, "0.0.0.0")], (port(80),), id="all addresses"),
        pytest.param([port(80, "::")], (port(80),), id="all addresses, as dual stack writes it"),
        pytest.param([port(80, "10.0.0.1")], (port(80, "10.0.0.1"),), id="one address"),
        pytest.param([port(80), port(80)], (port(80),), id="said twice"),
        pytest.param(
            [port(80), port(80, protocol=Protocol.UDP)],
            (port(80), port(80, protocol=Protocol.UDP)),
            id="two protocols",
        ),
        pytest.param(
            [port(80), port(80, "127.0.0.1")], (port(80), port(80, "127.0.0.1")), id="on all addresses and on one"
        ),
        pytest.param(
            [port(80), port(80, "127.0.0.1", container_port=81)],
            (port(80), port(80, "127.0.0.1", container_port=81)),
            id="to another port on one address",
        ),
    ],
)
def test_wanted(given: list[PortMapping], expected: tuple[PortMapping, ...]) -> None:
    assert wanted(given) == expected


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param([port(70000)], "70000", id="too high"),
        pytest.param([port(80, container_port=0)], "out of range", id="no container port"),
        pytest.param([port(80, "localhost")], "localhost", id="not an address"),
        pytest.param([port(80, "fd00::1")], "IPv6", id="another family"),
        pytest.param([port(80), port(80, container_port=81)], "twice", id="to two ports"),
    ],
)
def test_refused(given: list[PortMapping], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        wanted(given)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (port(80), port(80), True),
        (port(80), port(81), False),
        (port(80), port(80, protocol=Protocol.UDP), False),
        (port(80), port(80, "10.0.0.1"), True),
        (port(80, "10.0.0.1"), port(80, "10.0.0.2"), False),
    ],
)
def test_overlaps(one: PortMapping, other: PortMapping, *, expected: bool) -> None:
    assert overlaps(one, other) is expected
    assert overlaps(other, one) is expected


SOCKETS = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000
   3: cut off
"""


def test_parse_inodes() -> None:
    assert parse_inodes(SOCKETS, 8080, listening_only=True) == {"4711"}
    assert parse_inodes(SOCKETS, 8080, listening_only=False) == {"4711", "4712"}
    assert parse_inodes(SOCKETS, 81, listening_only=True) == set()
