"""Parses the text of a configuration file: YAML 1.1 or JSON, as the kubelet's decoder does.

Timestamps stay text, keys become text. A repeated key is noted, and its last value counts.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from podwright.agent.config.reading import ConfigError
from podwright.nesting import check_nesting

if TYPE_CHECKING:
    from yaml import SafeLoader as BaseLoader
else:
    BaseLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

SIZE_LIMIT_BYTES = 3 * 1024 * 1024  # a usual configuration has a few kilobytes
DEPTH_LIMIT = 50
KEYS_LIMIT = 10_000  # in one mapping


class ConfigDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The first document of a file. `repeated` has its repeated keys, `further` says whether more documents follow."""

    content: dict[str, Any]
    repeated: tuple[str, ...] = ()
    further: bool = False


class _YamlLoader(BaseLoader):
    """SafeLoader without timestamps. It notes repeated keys, and limits merges (`<<`)."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[str] = []

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > KEYS_LIMIT:
            raise yaml.constructor.ConstructorError(None, None, "a mapping has too many keys", node.start_mark)


_YamlLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in BaseLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: _YamlLoader, node: yaml.MappingNode) -> dict[str, Any]:
    own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
    written = [_key(loader.construct_object(key, deep=True), key) for key in own]
    loader.repeated += [key for key, times in Counter(written).items() if times > 1]
    loader.flatten_mapping(node)
    pairs = loader.construct_pairs(node, deep=True)
    return {_key(key, node): value for key, value in pairs}


def _key(key: object, node: yaml.Node) -> str:
    if isinstance(key, bool):
        return str(key).lower()
    if isinstance(key, str | int | float):
        return str(key)
    raise yaml.constructor.ConstructorError(None, None, "a key is not a scalar", node.start_mark)


_YamlLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse_document(data: bytes, source: str) -> ConfigDocument:
    """The document in `data`. Raises ConfigError, with `source` as the name of the file."""
    if not data.strip():
        raise ConfigError(source, ["is empty"])
    if len(data) > SIZE_LIMIT_BYTES:
        raise ConfigError(source, [f"is longer than {SIZE_LIMIT_BYTES} bytes"])
    try:
        text = data.decode("utf-8-sig")
        document = _from_json(text) if text.lstrip().startswith("{") else None
        document = document or _from_yaml(text)
    except yaml.YAMLError as failure:
        raise ConfigError(source, [f"is not valid YAML: {_one_line(failure)}"]) from failure
    except (ValueError, RecursionError) as failure:
        raise ConfigError(source, [f"is not usable: {failure}"]) from failure
    if not isinstance(document.content, dict):
        raise ConfigError(source, ["is not a mapping of fields"])
    return document


def _from_json(text: str) -> ConfigDocument | None:
    """The document. None for a flow mapping of YAML, which looks like JSON at first."""
    pairs_seen = _Pairs()
    try:
        content = json.loads(text, object_pairs_hook=pairs_seen.collect)
    except json.JSONDecodeError:
        return None
    return ConfigDocument(content=content, repeated=tuple(pairs_seen.repeated))


class _Pairs(msgspec.Struct):
    repeated: list[str] = msgspec.field(default_factory=list)

    def collect(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key, value in pairs:
            if key in content:
                self.repeated.append(key)
            content[key] = value
        return content


def _from_yaml(text: str) -> ConfigDocument:
    check_nesting(text, DEPTH_LIMIT)
    loader: Any = _YamlLoader(text)  # PyYAML's interface for one document at a time has no types
    try:
        content: Any = loader.get_data() if loader.check_data() else None
        repeated = tuple(loader.repeated)
        return ConfigDocument(content=content, repeated=repeated, further=loader.check_data())
    finally:
        loader.dispose()


def _one_line(failure: yaml.YAMLError) -> str:
    mark = getattr(failure, "problem_mark", None)
    problem = getattr(failure, "problem", None)
    if mark is None or not problem:
        return " ".join(str(failure).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"
