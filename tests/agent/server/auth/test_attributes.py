"""Verbs and subresources of requests: the table of the kubelet's authorization."""

from __future__ import annotations

import pytest

from podwright.agent.server.auth.attributes import accesses


@pytest.mark.parametrize(
    ("method", "path", "verb", "subresources"),
    [
        ("GET", "/healthz", "get", ["healthz", "proxy"]),
        ("GET", "/healthz/syncloop", "get", ["healthz", "proxy"]),
        ("GET", "/pods", "get", ["pods", "proxy"]),
        ("GET", "/runningpods/", "get", ["pods", "proxy"]),
        ("GET", "/configz", "get", ["configz", "proxy"]),
        ("GET", "/stats/summary", "get", ["stats"]),
        ("POST", "/stats/summary", "create", ["stats"]),
        ("GET", "/metrics", "get", ["metrics"]),
        ("GET", "/metrics/cadvisor", "get", ["metrics"]),
        ("GET", "/logs/", "get", ["log"]),
        ("GET", "/logs/syslog", "get", ["log"]),
        ("POST", "/checkpoint/ns/pod/main", "create", ["checkpoint"]),
        ("GET", "/statusz", "get", ["statusz"]),
        ("GET", "/flagz", "get", ["configz"]),
        ("GET", "/containerLogs/ns/pod/main", "get", ["proxy"]),
        ("GET", "/exec/ns/pod/main", "get", ["proxy"]),
        ("POST", "/exec/ns/pod/main", "create", ["proxy"]),
        ("POST", "/run/ns/pod/main", "create", ["proxy"]),
        ("PUT", "/debug/flags/v", "update", ["proxy"]),
        ("PATCH", "/pods", "patch", ["pods", "proxy"]),
        ("DELETE", "/none", "delete", ["proxy"]),
        ("TRACE", "/none", "", ["proxy"]),
        ("GET", "/", "get", ["proxy"]),
        ("GET", "/podsandmore", "get", ["proxy"]),
        ("GET", "/metricsx", "get", ["proxy"]),
    ],
)
def test_accesses(method: str, path: str, verb: str, subresources: list[str]) -> None:
    found = accesses(method, path, "node1")
    assert [each.subresource for each in found] == subresources
    assert {(each.verb, each.node) for each in found} == {(verb, "node1")}
