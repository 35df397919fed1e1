"""Reads where the API server keeps the objects of each kind from the package's calls: the paths that create them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kubernetes.client.api

_CALL = re.compile(r"^    def (create_\w+)\((?:(?!^    def ).)*?^    \) -> (\w+):", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"^    def _(create_\w+)_serialize\(.*?resource_path='([^']*)'", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"/apis?/(?P<version>(?:[\w.]+/)?v1)/(?P<spaced>namespaces/\{namespace\}/)?(?P<plural>\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """The last part of a kind's path, and whether its objects live in namespaces."""

    plural: str
    namespaced: bool


def read_resources() -> dict[tuple[str, str], Resource]:
    """By apiVersion and the name of the package's model. Kinds that are only a subresource's body have none."""
    return dict(_found())


def _found() -> Iterator[tuple[tuple[str, str], Resource]]:
    for file in sorted(Path(kubernetes.client.api.__file__).parent.glob("*_v1_api.py")):
        text = file.read_text()
        models = dict(_CALL.findall(text))
        for call, path in _PATH.findall(text):
            if place := _PLACE.fullmatch(path):
                resource = Resource(plural=place["plural"], namespaced=place["spaced"] is not None)
                yield (place["version"], models[call]), resource
