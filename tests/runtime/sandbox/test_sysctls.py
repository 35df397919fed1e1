"""Where sysctls are, and what a pod's groups mean on the host."""

from __future__ import annotations

import pytest

from podwright.runtime.model.base import IdMapping
from podwright.runtime.sandbox import sysctls

GIDS = (IdMapping(container_id=0, host_id=100000, length=65536),)
PING = "net.ipv4.ping_group_range"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.5/forwarding", "/proc/sys/net/ipv4/conf/eth0.5/forwarding"),
    ],
)
def test_paths(name: str, path: str) -> None:
    assert sysctls.path(name) == path


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        (PING, "0 2147483647", "100000 165535"),
        (PING, "5\t10", "100005 100010"),
        ("net/ipv4/ping_group_range", "0 0", "100000 100000"),
        (PING, "1 0", "1 0"),
        (PING, "all", "all"),
        (PING, "-1 5", "-1 5"),
        ("net.ipv4.ip_local_port_range", "0 5", "0 5"),
    ],
)
def test_groups_on_the_host(name: str, value: str, written: str) -> None:
    assert sysctls.as_on_host(name, value, GIDS) == written
