"""A node for tests of configs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from podwright.agent.configs.node import NodeFacts, NodeSettings

GIB = 1 << 30


def facts(**over: Any) -> NodeFacts:
    """A machine on cgroup v1 without swap, unless said otherwise."""
    usual: dict[str, Any] = {
        "node_name": "node1",
        "addresses": ("192.0.2.10", "2001:db8::10"),
        "memory_bytes": 8 * GIB,
        "allocatable": {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100Gi"},
        "huge_page_sizes": ("1GB", "2MB"),
    }
    return NodeFacts(**{**usual, **over})


def settings(**over: Any) -> NodeSettings:
    """A kubelet's usual settings with a cluster's DNS."""
    return NodeSettings(**{"cluster_domain": "cluster.local", "cluster_dns": ("10.96.0.10",), **over})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """A mounted volume."""

    path: str = ""
    read_only: bool = False
    selinux_relabel: bool = False
    is_block: bool = False
    image: str = ""
    gid: int | None = None
