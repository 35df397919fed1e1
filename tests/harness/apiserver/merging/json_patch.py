"""RFC 6902."""

from __future__ import annotations

import copy
from typing import Any


def operate(document: Any, steps: Any) -> Any:
    """The document after all steps. Raises KeyError, IndexError, TypeError and ValueError."""
    if not isinstance(steps, list):
        raise TypeError("a JSON patch is a list of operations")
    result = copy.deepcopy(document)
    for step in steps:
        result = _step(result, step)
    return result


def _step(document: Any, step: dict[str, Any]) -> Any:
    path = _parts(step["path"])
    match step["op"]:
        case "add":
            return _set(document, path, step["value"], insert=True)
        case "replace":
            _get(document, path)
            return _set(document, path, step["value"], insert=False)
        case "remove":
            return _remove(document, path)
        case "move":
            source = _parts(step["from"])
            value = _get(document, source)
            return _set(_remove(document, source), path, value, insert=True)
        case "copy":
            return _set(document, path, copy.deepcopy(_get(document, _parts(step["from"]))), insert=True)
        case "test":
            if _get(document, path) != step["value"]:
                raise ValueError(f"test of {step['path']} failed")
            return document
        case other:
            raise ValueError(f"no operation {other!r}")


def _parts(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _get(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _set(document: Any, path: list[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    parent, last = _get(document, path[:-1]), path[-1]
    if not isinstance(parent, list):
        parent[last] = value
    elif last == "-":
        parent.append(value)
    elif insert:
        if not 0 <= int(last) <= len(parent):
            raise IndexError(last)
        parent.insert(int(last), value)
    else:
        parent[int(last)] = value
    return document


def _remove(document: Any, path: list[str]) -> Any:
    parent, last = _get(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[int(last)]
    else:
        del parent[last]
    return document
