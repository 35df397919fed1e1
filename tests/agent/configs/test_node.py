"""Facts about this machine, settings, and the addresses of pods."""

from __future__ import annotations

import os

import pytest

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.configs.addresses import pod_addresses
from podwright.agent.configs.node import NodeSettings, read_facts, settings_of
from podwright.agent.node.machine import read_machine
from tests.agent.configs.build import facts
from tests.agent.fakes.observed import observed, sandbox
from tests.agent.fakes.pods import pod


def test_look_at_this_machine() -> None:
    found = read_facts("n", read_machine(), ("192.0.2.1",), {"cpu": "1"})
    assert found.memory_bytes == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert found.swap_bytes >= 0
    assert all(os.path.isdir(path) for path in found.throttle_paths)


def test_the_settings_of_a_kubelet_without_a_file() -> None:
    assert settings_of(AgentConfig()) == NodeSettings(swap_behavior=AgentConfig().cgroups.swap_behavior)


@pytest.mark.parametrize(
    ("node", "ips", "expected"),
    [
        (("192.0.2.1",), ("10.0.0.1", "fd00::1"), ("10.0.0.1", "fd00::1")),
        (("2001:db8::1",), ("10.0.0.1", "fd00::1"), ("fd00::1", "10.0.0.1")),
        (("192.0.2.1",), ("fd00::1", "fd00::2"), ("fd00::1",)),
        (("192.0.2.1",), (), ()),
        ((), ("10.0.0.1",), ("10.0.0.1",)),
    ],
)
def test_addresses(node: tuple[str, ...], ips: tuple[str, ...], expected: tuple[str, ...]) -> None:
    seen = observed(sandboxes=(sandbox(ips=ips),))
    assert pod_addresses(pod(), seen, facts(addresses=node)) == expected


def test_a_pod_on_the_hosts_network_has_the_nodes() -> None:
    seen = observed(sandboxes=(sandbox(ips=()),))
    assert pod_addresses(pod(host_network=True), seen, facts()) == ("192.0.2.10", "2001:db8::10")
