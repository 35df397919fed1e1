"""YAML text to raw documents, the way the Kubernetes API reads YAML.

Timestamps stay strings, a key given twice is an error, and JSON is read too, being YAML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from podwright.agent.seed.manifest.problems import ManifestError, Problem
from podwright.nesting import check_nesting

if TYPE_CHECKING:
    from yaml import SafeLoader as BaseLoader
else:
    BaseLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MANIFEST_LIMIT_BYTES = 10 * 1024 * 1024  # the kubelet's limit for a static pod file
DEPTH_LIMIT = 100  # no Kubernetes object comes near it
KEYS_LIMIT = 100_000  # of one mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDocument:
    """One document: `number` counts from 1."""

    number: int
    content: dict[str, Any]

    @property
    def kind(self) -> str:
        """What it says it is; empty when it does not say."""
        return str(self.content.get("kind") or "")

    @property
    def name(self) -> str:
        """metadata.name, for messages."""
        metadata = self.content.get("metadata")
        return str(metadata.get("name") or "") if isinstance(metadata, dict) else ""

    def label(self) -> str:
        """How messages name it."""
        words = " ".join(word for word in (self.kind, self.name) if word)
        return f"document {self.number} ({words})" if words else f"document {self.number}"


class _Loader(BaseLoader):
    """SafeLoader without timestamps, with unique keys, and with an end to what merges of merges (`<<`) can grow to."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > KEYS_LIMIT:
            message = f"a mapping has more than {KEYS_LIMIT} keys"
            raise yaml.constructor.ConstructorError(None, None, message, node.start_mark)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in BaseLoader.yaml_implicit_resolvers.items()
}


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str | int | float | bool | None):
            raise yaml.constructor.ConstructorError(None, None, "a key is not a scalar", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
        seen.add(key)
    return dict(loader.construct_pairs(node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:map", _unique_mapping)


def parse_documents(text: str) -> list[RawDocument]:
    """The non-empty documents. Raises ManifestError for text that is not YAML or documents that are not mappings."""
    if len(text) > MANIFEST_LIMIT_BYTES:
        raise ManifestError([Problem(path="", message=f"longer than {MANIFEST_LIMIT_BYTES} bytes")])
    try:
        check_nesting(text, DEPTH_LIMIT)
        # A subclass of SafeLoader: it builds no Python objects.
        contents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as failure:
        raise ManifestError([Problem(path="", message=f"not valid YAML: {_one_line(failure)}")]) from failure
    except (RecursionError, ValueError) as failure:
        raise ManifestError([Problem(path="", message=f"not usable YAML: {failure}")]) from failure
    documents = []
    for number, content in enumerate(contents, start=1):
        if content is None:
            continue
        if not isinstance(content, dict):
            raise ManifestError([Problem(path=f"document {number}", message="is not a mapping of fields")])
        documents.append(RawDocument(number=number, content=content))
    return documents


def _one_line(failure: yaml.YAMLError) -> str:
    mark = getattr(failure, "problem_mark", None)
    problem = getattr(failure, "problem", None)
    if mark is None or not problem:
        return " ".join(str(failure).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
