"""/etc/hosts of pods, to the byte."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.agent.configs.hostname import PodNames, pod_names, sandbox_hostname
from podwright.agent.configs.hosts import host_network_hosts, pod_hosts
from podwright.errors import InvalidArgument
from podwright.k8s.objects import HostAlias
from tests.agent.fakes.pods import pod

LOCAL = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
ALIASES = (HostAlias(ip="10.1.1.1", hostnames=("foo", "bar")), HostAlias(ip="10.1.1.2", hostnames=("baz",)))


def test_a_pod_with_its_own_network() -> None:
    assert pod_hosts(PodNames(host="web"), ("10.0.0.1", "fd00::1"), ()).decode() == (
        f"# Kubernetes-managed hosts file.\n{LOCAL}10.0.0.1\tweb\nfd00::1\tweb\n"
    )
    assert pod_hosts(PodNames(host="web", domain="sub.ns.svc.cluster.local"), ("10.0.0.1",), ALIASES).decode() == (
        f"# Kubernetes-managed hosts file.\n{LOCAL}10.0.0.1\tweb.sub.ns.svc.cluster.local\tweb\n"
        "\n# Entries added by HostAliases.\n10.1.1.1\tfoo\tbar\n10.1.1.2\tbaz\n"
    )


def test_a_pod_on_the_hosts_network_has_the_hosts_bytes() -> None:
    assert host_network_hosts(b"\xff no utf-8", ALIASES[1:]) == (
        b"# Kubernetes-managed hosts file (host network).\n\xff no utf-8\n"
        b"# Entries added by HostAliases.\n10.1.1.2\tbaz\n"
    )


LONG = "a" * 62 + "-b"


@pytest.mark.parametrize(
    ("name", "spec", "names", "kernel"),
    [
        ("web", {}, PodNames(host="web"), "web"),
        ("web", {"hostname": "h"}, PodNames(host="h"), "h"),
        ("web", {"hostname": "h", "subdomain": "s"}, PodNames(host="h", domain="s.default.svc.c.l"), "h"),
        (
            "web",
            {"subdomain": "s", "set_hostname_as_fqdn": True},
            PodNames(host="web", domain="s.default.svc.c.l"),
            "web.s.default.svc.c.l",
        ),
        ("web", {"set_hostname_as_fqdn": True}, PodNames(host="web"), "web"),
        (LONG, {}, PodNames(host="a" * 62), "a" * 62),
        ("a" * 63, {}, PodNames(host="a" * 63), "a" * 63),
        ("web", {"hostname_override": "a.b", "subdomain": "s"}, PodNames(host="a.b"), "a.b"),
        ("web", {"host_network": True}, PodNames(host="web"), ""),
    ],
)
def test_names(name: str, spec: dict[str, Any], names: PodNames, kernel: str) -> None:
    of = pod(name, **spec)
    assert pod_names(of, "c.l") == names
    assert sandbox_hostname(of, "c.l") == kernel


def test_a_full_name_has_64_characters_at_most() -> None:
    fits = pod("a" * 44, subdomain="s", set_hostname_as_fqdn=True)  # .s.default.svc.c.l has 18
    assert len(sandbox_hostname(fits, "cd.l")) == 63
    assert len(sandbox_hostname(fits, "cd.lm")) == 64
    with pytest.raises(InvalidArgument, match=r"is too long \(64 characters is the max, 65 characters requested\)"):
        sandbox_hostname(fits, "cd.lmn")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"hostname": "A_b"}, 'pod Hostname "A_b" is not a valid DNS label'),
        ({"subdomain": "x.y"}, 'pod Subdomain "x.y" is not a valid DNS label'),
        ({"hostname_override": "x..y"}, 'pod HostnameOverride "x..y" is not a valid DNS subdomain'),
    ],
)
def test_bad_names(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        pod_names(pod(**spec), "c.l")
