"""Expands `$(NAME)` in commands, arguments, variables and subPathExpr. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from podwright.errors import NotFound


def expand(text: str, *scopes: Mapping[str, str]) -> str:
    """Replace each reference by its value in the first scope that has the name. Others stay. `$$` is one `$`."""

    def value(name: str) -> str:
        return next((scope[name] for scope in scopes if name in scope), f"$({name})")

    return _expand(text, value)


def expand_all(text: str, scope: Mapping[str, str]) -> str:
    """The same, but every name must exist. Raises NotFound with the missing names."""
    missing = set()

    def value(name: str) -> str:
        if not scope.get(name):
            missing.add(name)
        return scope.get(name, "")

    expanded = _expand(text, value)
    if missing:
        raise NotFound(f"missing value for {', '.join(sorted(missing))}")
    return expanded


def _expand(text: str, value: Callable[[str], str]) -> str:
    parts, position = [], 0
    while (dollar := text.find("$", position)) >= 0:
        parts.append(text[position:dollar])
        following = text[dollar + 1 : dollar + 2]
        end = text.find(")", dollar) if following == "(" else -1
        if following == "$":
            parts.append("$")
            position = dollar + 2
        elif end >= 0:
            parts.append(value(text[dollar + 2 : end]))
            position = end + 1
        else:
            parts.append("$")
            position = dollar + 1
    return "".join((*parts, text[position:]))
