"""Parses files of variables (fileKeyRef): lines of NAME='value', a strict subset of a shell's syntax. Pure.

A value may have several lines, has no escapes, and must be in single quotes. Text after `#` is a comment.
"""

from __future__ import annotations

from collections.abc import Iterator

from podwright.errors import InvalidArgument

LIMIT_BYTES = 1024 * 1024
BLANKS = " \t"


def find_variable(text: str, key: str) -> str:
    """The first value of the name, or an empty text. Raises InvalidArgument that names the line."""
    return next((value for name, value in _variables(text) if name == key), "")


def _variables(text: str) -> Iterator[tuple[str, str]]:
    lines = iter(enumerate(text.split("\n"), start=1))
    for number, line in lines:
        line = line.removesuffix("\r").lstrip(BLANKS)  # noqa: PLW2901 # used below
        if not line or line.startswith("#"):
            continue
        name, equals, rest = line.partition("=")
        if not equals:
            raise _invalid(number, "missing '='")
        if not name:
            raise _invalid(number, "empty variable name")
        if name != name.rstrip(BLANKS):
            raise _invalid(number, "whitespace before '=' is not allowed")
        if rest != rest.lstrip(BLANKS):
            yield name, ""  # a shell reads `NAME= 'value'` as an empty variable before a command
            continue
        if not rest.startswith("'"):
            raise _invalid(number, "value must be enclosed in single quotes")
        yield name, _quoted(rest[1:], number, lines)


def _quoted(rest: str, start: int, lines: Iterator[tuple[int, str]]) -> str:
    """The value up to the closing quote, which may be some lines below."""
    parts, number = [], start
    while "'" not in rest:
        parts.append(f"{rest}\n")
        try:
            number, rest = next(lines)
        except StopIteration:
            raise _invalid(start, "unclosed single quote") from None
        rest = rest.removesuffix("\r")
    value, _, after = rest.partition("'")
    after = after.lstrip(BLANKS)
    if after and not after.startswith("#"):
        raise _invalid(number, "unexpected content after closing quote")
    return "".join((*parts, value))


def _invalid(line: int, message: str) -> InvalidArgument:
    return InvalidArgument(f"invalid environment variable format at line {line}: {message}")
