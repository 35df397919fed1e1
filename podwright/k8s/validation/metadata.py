"""Names, labels and annotations of any object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from podwright.k8s.names import label_faults, qualified_name_faults, subdomain_faults
from podwright.k8s.objects.meta import ObjectMeta
from podwright.k8s.problems import Problem, invalid, required, too_long
from podwright.k8s.validation.common import labels, named, non_negative

ANNOTATIONS_LIMIT = 256 * 1024


def validate_metadata(
    metadata: ObjectMeta, path: str = "metadata", *, name_faults: Callable[[str], Iterable[str]] = subdomain_faults
) -> Iterator[Problem]:
    """An object that has a namespace. An empty namespace is the caller's to fill in, and no fault."""
    if metadata.generate_name:
        # Digits and letters follow, so that a dash may stand last.
        yield from named(f"{path}.generateName", metadata.generate_name.rstrip("-") or "-", name_faults)
    if metadata.name:
        yield from named(f"{path}.name", metadata.name, name_faults)
    elif not metadata.generate_name:
        yield required(f"{path}.name", "name or generateName is required")
    yield from named(f"{path}.namespace", metadata.namespace, label_faults, needed=False)
    yield from non_negative(f"{path}.generation", metadata.generation)
    yield from labels(f"{path}.labels", metadata.labels)
    yield from validate_annotations(f"{path}.annotations", metadata.annotations)
    yield from _owners(path, metadata)


def validate_annotations(path: str, values: dict[str, str]) -> Iterator[Problem]:
    """Annotations: names in any case, and 256 KiB in all."""
    for key in values:
        yield from (invalid(path, key, fault) for fault in qualified_name_faults(key.lower()))
    size = sum(len(key.encode()) + len(value.encode()) for key, value in values.items())
    if size > ANNOTATIONS_LIMIT:
        yield too_long(path, ANNOTATIONS_LIMIT)


def _owners(path: str, metadata: ObjectMeta) -> Iterator[Problem]:
    for index, owner in enumerate(metadata.owner_references):
        here = f"{path}.ownerReferences[{index}]"
        for wire, value in (("apiVersion", owner.api_version), ("kind", owner.kind), ("name", owner.name)):
            if not value:
                yield invalid(f"{here}.{wire}", value, "must not be empty")
        if not owner.uid:
            yield invalid(f"{here}.uid", owner.uid, "must not be empty")
    if sum(owner.controller is True for owner in metadata.owner_references) > 1:
        yield invalid(f"{path}.ownerReferences", "", "Only one reference can have Controller set to true")
