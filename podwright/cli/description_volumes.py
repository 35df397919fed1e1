"""The volumes of a described pod: the kind and the fields of each source. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from podwright.cli.sheet import NONE, SheetLine
from podwright.k8s.codec import to_document
from podwright.k8s.objects import Pod


def volume_lines(pod: Pod) -> Iterator[SheetLine]:
    """The section of volumes."""
    if not pod.spec.volumes:
        yield SheetLine(0, "Volumes:", NONE)
        return
    yield SheetLine(0, "Volumes:")
    for volume in pod.spec.volumes:
        document = to_document(volume)
        yield SheetLine(1, f"{volume.name}:")
        for kind, source in document.items():
            if kind != "name":
                yield SheetLine(2, "Type:", _kind(kind))
                yield from (SheetLine(2, f"{key}:", text) for key, text in _facts(source))


def _kind(wire: str) -> str:
    """`ConfigMap` for `configMap`: the API's name of the source."""
    return wire[:1].upper() + wire[1:]


def _facts(source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields of the source. Long lists are replaced by their number of entries."""
    for key, value in source.items():
        if isinstance(value, list):
            yield key, f"{len(value)} entries" if len(value) != 1 else "1 entry"
        elif isinstance(value, Mapping):
            yield key, ", ".join(f"{name}={inner}" for name, inner in value.items() if not isinstance(inner, Mapping))
        else:
            yield key, str(value)
