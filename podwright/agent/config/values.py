"""Converts raw data to values by key, and back.

`Values` have the values of settings by key: the given ones after `decode`, all of them after `defaults.complete`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from podwright.agent.config.reading import Reading
from podwright.agent.config.setting import Setting
from podwright.agent.config.settings import API_VERSION, BY_KEY, FIELDS, KIND

Values = dict[str, Any]

# Objects with fields. Those behind a pointer in Go are not shown if they are empty.
GROUPS = frozenset(setting.key[:end] for setting in FIELDS for end, letter in enumerate(setting.key) if letter == ".")
_POINTERS = frozenset({"tracing", "userNamespaces"})
_HEAD = frozenset({"apiVersion", "kind"})


def decode(content: dict[str, Any], reading: Reading) -> Values:
    """The given fields that are not null, without unknown ones. Notes faults in `reading`."""
    return _decode_group({key: value for key, value in content.items() if key not in _HEAD}, "", reading)


def _decode_group(content: dict[str, Any], prefix: str, reading: Reading) -> Values:
    values: Values = {}
    for key, raw in content.items():
        path = prefix + key
        setting = BY_KEY.get(path)
        if setting is None and path not in GROUPS:
            reading.unknown(path, key, _children(prefix))
        elif raw is None:
            continue
        elif setting is not None:
            values[path] = setting.kind.decode(raw, path, reading)
        elif isinstance(raw, dict):
            values |= _decode_group(raw, f"{path}.", reading)
        else:
            reading.wrong_kind(path, "a mapping of fields", raw)
    return values


def known_part(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """`content` without unknown fields. Nulls stay."""
    kept = {}
    for key, raw in content.items():
        if prefix + key in GROUPS and isinstance(raw, dict):
            kept[key] = known_part(raw, f"{prefix}{key}.")
        elif prefix + key in GROUPS or prefix + key in BY_KEY:
            kept[key] = raw
    return kept


def _children(prefix: str) -> set[str]:
    names = {setting.key for setting in FIELDS} | GROUPS
    return {name[len(prefix) :].partition(".")[0] for name in names if name.startswith(prefix)}


def encode(values: Values) -> dict[str, Any]:
    """A complete KubeletConfiguration as Go's encoder writes it, without settings that are only flags."""
    return _document(values, Setting.is_shown)


def to_file(values: Values) -> dict[str, Any]:
    """The same in the form of a file for --config.

    An empty list or map stays, because its absence may mean the default.
    """
    return _document(values, lambda setting, value: setting.is_shown(value) or value in ((), {}))


def _document(values: Values, is_shown: Callable[[Setting, Any], bool]) -> dict[str, Any]:
    document: dict[str, Any] = {"apiVersion": API_VERSION, "kind": KIND}
    for group in sorted(GROUPS - _POINTERS):
        _parent(document, f"{group}.")
    for setting in FIELDS:
        if is_shown(setting, values[setting.key]):
            _parent(document, setting.key)[_leaf(setting)] = setting.kind.encode(values[setting.key])
    return document


def flag_texts(values: Values) -> dict[str, str]:
    """All flags, with values that give the same configuration."""
    return {
        setting.flag: _flag_text(setting.kind.encode(values[setting.key]))
        for setting in BY_KEY.values()
        if setting.flag and values[setting.key] is not None
    }


def _flag_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ",".join(f"{key}={_flag_text(each)}" for key, each in sorted(value.items()))
    if isinstance(value, list | tuple):
        return ",".join(map(_flag_text, value))
    return str(value)


def _parent(document: dict[str, Any], path: str) -> dict[str, Any]:
    for word in path.split(".")[:-1]:
        document = document.setdefault(word, {})
    return document


def _leaf(setting: Setting) -> str:
    return setting.key.rpartition(".")[2]
