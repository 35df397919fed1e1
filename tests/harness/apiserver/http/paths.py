"""A path of the API to what it is about."""

from __future__ import annotations

from urllib.parse import unquote

from tests.harness.apiserver.api import Target
from tests.harness.apiserver.failures import no_resource
from tests.harness.apiserver.resources import find


def read_path(raw: str) -> Target:
    """`/api/v1/namespaces/a/pods/b/status` and its kin. Raises ApiError."""
    parts = [unquote(part) for part in raw.strip("/").split("/")]
    if parts[0] == "api" and len(parts) > 2:
        version, rest = parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        version, rest = f"{parts[1]}/{parts[2]}", parts[3:]
    else:
        raise no_resource()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and find(version, rest[2]) is not None:
        namespace, rest = rest[1], rest[2:]
    resource = find(version, rest[0])
    if resource is None or len(rest) > 3 or (namespace and not resource.namespaced):
        raise no_resource()
    name, subresource = (*rest[1:], "", "")[:2]
    if subresource and subresource not in resource.subresources:
        raise no_resource()
    if name and resource.namespaced and not namespace:
        raise no_resource()
    return Target(resource=resource, namespace=namespace, name=name, subresource=subresource)
