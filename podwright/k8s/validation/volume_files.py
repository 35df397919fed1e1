"""Keys and fields of the pod that become files of a volume."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from podwright.k8s.names import file_path_faults
from podwright.k8s.objects.volume import DownwardAPIVolumeFile, KeyToPath
from podwright.k8s.problems import Problem, invalid, required
from podwright.k8s.validation.common import file_mode, named
from podwright.k8s.validation.environment import VOLUME_FIELDS, validate_field, validate_resource_field


def validate_keys(path: str, items: Iterable[KeyToPath]) -> Iterator[Problem]:
    """Keys as files."""
    for index, item in enumerate(items):
        here = f"{path}.items[{index}]"
        if not item.key:
            yield required(f"{here}.key")
        yield from named(f"{here}.path", item.path, file_path_faults)
        yield from file_mode(f"{here}.mode", item.mode)


def validate_downward_files(path: str, items: Iterable[DownwardAPIVolumeFile]) -> Iterator[Problem]:
    """Fields of the pod as files."""
    for index, item in enumerate(items):
        here = f"{path}.items[{index}]"
        yield from named(f"{here}.path", item.path, file_path_faults)
        yield from file_mode(f"{here}.mode", item.mode)
        if item.field_ref is not None:
            yield from validate_field(f"{here}.fieldRef", item.field_ref, VOLUME_FIELDS)
            if item.resource_field_ref is not None:
                message = "fieldRef and resourceFieldRef can not be specified simultaneously"
                yield invalid(here, "resource", message)
        elif item.resource_field_ref is not None:
            yield from validate_resource_field(f"{here}.resourceFieldRef", item.resource_field_ref, in_volume=True)
        else:
            yield required(here, "one of fieldRef and resourceFieldRef is required")
