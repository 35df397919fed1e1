"""The subresources of the node that a request accesses, with the kubelet's rules. Pure.

Source: pkg/kubelet/server/auth.go of Kubernetes 1.36, with fine-grained authorization (KEP 2862). Any one of a path's
subresources is enough.
"""

from __future__ import annotations

from podwright.agent.server.auth.reviews import NodeAccess

VERBS = {"POST": "create", "GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
PROXY = "proxy"
FINE = {"/pods": "pods", "/healthz": "healthz", "/configz": "configz", "/runningpods": "pods"}
OWN = {
    "/stats": "stats",
    "/metrics": "metrics",
    "/logs": "log",
    "/checkpoint": "checkpoint",
    "/statusz": "statusz",
    "/flagz": "configz",
}


def accesses(method: str, path: str, node: str) -> tuple[NodeAccess, ...]:
    """The accesses of which a request needs one, in the order of the checks."""
    verb = VERBS.get(method, "")
    return tuple(NodeAccess(verb=verb, subresource=name, node=node) for name in _subresources(path))


def _subresources(path: str) -> tuple[str, ...]:
    fine = _find(FINE, path)
    return (*((fine,) if fine else ()), _find(OWN, path) or PROXY)


def _find(table: dict[str, str], path: str) -> str:
    return next((name for prefix, name in table.items() if path == prefix or path.startswith(f"{prefix}/")), "")
