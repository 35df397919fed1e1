"""DNS policies, merging and limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.configs.dns import DnsWarning, dns_config
from podwright.agent.configs.resolv_conf import Resolver, parse_resolv_conf
from podwright.errors import InvalidArgument
from podwright.k8s.objects import Pod, PodDNSConfig, PodDNSConfigOption
from tests.agent.configs.build import facts, settings
from tests.agent.fakes.pods import pod

HOST = Resolver(servers=("192.0.2.53",), searches=("example.com",), options=("timeout:2",))
CLUSTER = (
    ("10.96.0.10",),
    ("default.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.com"),
    ("ndots:5",),
)
OF_HOST = (HOST.servers, HOST.searches, HOST.options)
Lines = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


def configured(of: Pod, **over: Any) -> tuple[Lines, tuple[DnsWarning, ...]]:
    config, warnings = dns_config(of, settings(**over), facts(), HOST)
    return (tuple(config.servers), tuple(config.searches), tuple(config.options)), warnings


@pytest.mark.parametrize(
    ("policy", "host_network", "expected"),
    [
        ("ClusterFirst", False, CLUSTER),
        ("ClusterFirstWithHostNet", True, CLUSTER),
        ("ClusterFirst", True, OF_HOST),
        ("Default", False, OF_HOST),
        ("None", False, ((), (), ())),
        ("", False, CLUSTER),  # not defaulted
    ],
)
def test_policies(policy: str, host_network: bool, expected: Lines) -> None:
    assert configured(pod(dns_policy=policy, host_network=host_network)) == (expected, ())


def test_without_a_cluster_domain() -> None:
    lines, _ = configured(pod(dns_policy="ClusterFirst"), cluster_domain="")
    assert lines == (("10.96.0.10",), ("example.com",), ("ndots:5",))


def test_without_cluster_dns_it_is_the_hosts_with_two_events() -> None:
    lines, warnings = configured(pod(dns_policy="ClusterFirst"), cluster_dns=())
    assert lines == OF_HOST
    text = (
        'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. '
        'Falling back to "Default" policy.'
    )
    assert warnings == (
        DnsWarning(reason="MissingClusterDNS", message=text, about_node=True),
        DnsWarning(reason="MissingClusterDNS", message=f'pod: "web_default(uid-web)". {text}'),
    )


def test_a_node_without_a_resolv_conf_asks_its_loopback() -> None:
    config, _ = dns_config(pod(dns_policy="Default"), settings(resolver_config=""), facts(), Resolver())
    assert list(config.servers) == ["127.0.0.1", "::1"]
    assert list(config.searches) == ["."]
    config, _ = dns_config(pod(dns_policy="Default"), settings(resolver_config=""), facts(addresses=()), Resolver())
    assert list(config.servers) == ["127.0.0.1"]


def test_the_pods_own_lines_are_merged() -> None:
    added = PodDNSConfig(
        nameservers=("1.1.1.1", "10.96.0.10"),
        searches=("own.example", "cluster.local"),
        options=(
            PodDNSConfigOption(name="ndots", value="2"),
            PodDNSConfigOption(name="edns0"),
            PodDNSConfigOption(name="x", value=""),
        ),
    )
    assert configured(pod(dns_policy="ClusterFirst", dns_config=added))[0] == (
        ("10.96.0.10", "1.1.1.1"),
        (*CLUSTER[1], "own.example"),
        ("ndots:2", "edns0", "x"),
    )


def test_too_many_servers() -> None:
    added = PodDNSConfig(nameservers=("1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"))
    lines, warnings = configured(pod(dns_policy="None", dns_config=added))
    assert lines[0] == ("1.1.1.1", "2.2.2.2", "3.3.3.3")
    assert warnings == (
        DnsWarning(
            reason="DNSConfigForming",
            message="Nameserver limits were exceeded, some nameservers have been omitted, "
            "the applied nameserver line is: 1.1.1.1 2.2.2.2 3.3.3.3",
        ),
    )


@pytest.mark.parametrize(
    ("searches", "kept"),
    [
        (tuple(f"s{number}" for number in range(32)), 32),
        (tuple(f"s{number}" for number in range(33)), 32),
        (("a", "b" * 254, "c"), 2),
        (tuple(f"{number:0127d}" for number in range(16)), 16),  # 16 * 128 - 1 = 2047 characters
        (tuple(f"{number:0128d}" for number in range(16)), 15),
    ],
)
def test_search_limits(searches: tuple[str, ...], kept: int) -> None:
    lines, warnings = configured(pod(dns_policy="None", dns_config=PodDNSConfig(searches=searches)))
    assert len(lines[1]) == kept
    assert [warning.reason for warning in warnings] == ["DNSConfigForming"] * (kept != len(searches))
    assert all(warning.message.endswith(f"search line is: {' '.join(lines[1])}") for warning in warnings)


def test_resolv_conf() -> None:
    text = """# comment
nameserver 1.1.1.1
search old.example
  nameserver   2.2.2.2 ignored
search a.example. . b.example
options ndots:1 timeout:3
options ndots:7
sortlist 1.2.3.4
"""
    assert parse_resolv_conf(text) == Resolver(
        servers=("1.1.1.1", "2.2.2.2"), searches=("a.example", "b.example"), options=("ndots:7", "timeout:3")
    )
    with pytest.raises(InvalidArgument, match="nameserver list is empty"):
        parse_resolv_conf("nameserver\n")


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    resolver = parse_resolv_conf(text.replace("nameserver", "") + "\nnameserver 1.1.1.1")
    assert resolver.servers == ("1.1.1.1",)
