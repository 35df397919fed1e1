"""Which kinds the server keeps: those of the project's types, and Namespace, which kubectl wants to see."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from podwright.k8s import objects
from podwright.k8s.objects.base import ApiObject, Kind
from podwright.k8s.shapes import fields_of

# Reviews are answered and not kept.
REVIEWS = frozenset({"tokenreviews", "subjectaccessreviews"})
SHORT_NAMES = {
    "pods": "po", "nodes": "no", "configmaps": "cm", "services": "svc", "events": "ev", "namespaces": "ns",
    "serviceaccounts": "sa", "persistentvolumes": "pv", "persistentvolumeclaims": "pvc", "deployments": "deploy",
    "daemonsets": "ds", "statefulsets": "sts", "replicasets": "rs", "cronjobs": "cj",
    "certificatesigningrequests": "csr",
}  # fmt: skip
# Beside `status`, which every kind with a status has.
SUBRESOURCES = {
    "pods": ("binding", "ephemeralcontainers", "eviction", "resize"),
    "serviceaccounts": ("token",),
    "certificatesigningrequests": ("approval",),
    "namespaces": ("finalize",),
}
# What POST below an object brings.
POSTED = {
    "binding": ("v1", "Binding"),
    "eviction": ("policy/v1", "Eviction"),
    "token": ("authentication.k8s.io/v1", "TokenRequest"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind: `shape` is its type, None where the project has none."""

    version: str
    plural: str
    kind: str
    namespaced: bool
    shape: type[ApiObject] | None

    @property
    def group(self) -> str:
        """The API group; empty for the core one."""
        return self.version.rpartition("/")[0]

    @property
    def qualified(self) -> str:
        """`leases.coordination.k8s.io`, as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def has_status(self) -> bool:
        """Whether the status is written apart."""
        return self.plural == "namespaces" or (self.shape is not None and "status" in fields_of(self.shape))

    @property
    def subresources(self) -> tuple[str, ...]:
        """All of them."""
        return (*(("status",) if self.has_status and not self.review else ()), *SUBRESOURCES.get(self.plural, ()))

    @property
    def review(self) -> bool:
        """Whether a POST is answered and nothing kept."""
        return self.plural in REVIEWS


@cache
def all_resources() -> dict[tuple[str, str], Resource]:
    """By apiVersion and plural."""
    kinds = [each for each in vars(objects).values() if isinstance(each, type) and issubclass(each, Kind)]
    found = [
        Resource(
            version=kind.API_VERSION,
            plural=kind.RESOURCE,
            kind=kind.__name__,
            namespaced=kind.NAMESPACED,
            shape=kind,
        )
        for kind in kinds
        if kind.RESOURCE
    ]
    if not any(each.kind == "Namespace" for each in found):
        found.append(Resource(version="v1", plural="namespaces", kind="Namespace", namespaced=False, shape=None))
    return {(each.version, each.plural): each for each in found}


def find(version: str, plural: str) -> Resource | None:
    """The resource, or None."""
    return all_resources().get((version, plural))
