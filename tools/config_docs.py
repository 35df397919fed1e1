"""The tables of docs/config.md, from the sections of the daemon's configuration and the comments beside their keys.

python -m tools.config_docs    rewrite what stands between the markers
"""

from __future__ import annotations

import ast
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from podwright.runtime import config
from tools.marked import with_marked

TREE = Path(__file__).resolve().parent.parent
SOURCE = TREE / "podwright/runtime/config.py"
DOCUMENT = TREE / "docs/config.md"
MARKERS = ("<!-- keys: made by tools.config_docs -->", "<!-- /keys -->")
KINDS = {str: "text", bool: "true or false", int: "number", float: "number"}
COMMENT = re.compile(r"#\s(.*)$")


def tables() -> str:
    """A table for each section."""
    return "\n\n".join(_section(section) for section in dict.fromkeys(_sections(config.Config)))


def _sections(section: type[config.Section]) -> Iterator[type[config.Section]]:
    """The section and those in it, in the order of the file."""
    yield section
    for field in msgspec.structs.fields(section):
        for kind in (field.type, *get_args(field.type)):
            for inner in (kind, *get_args(kind)):
                if isinstance(inner, type) and issubclass(inner, config.Section) and inner is not _FOREIGN:
                    yield from _sections(inner)


_FOREIGN = config.ForeignHandlerSettings  # its keys are those of another package


def _section(section: type[config.Section]) -> str:
    head, _, rest = " ".join((section.__doc__ or "").split()).partition(": ")
    title, about = (f"`{head}`", rest) if rest else ("The top of the file", "")
    if ", " in head:
        title = "`{}`, {}".format(*head.split(", ", 1))
    rows = [_row(field, text) for field, text in _described(section) if not _is_section(field.type)]
    lines = ["| Key | Value | Default | Meaning |", "| --- | --- | --- | --- |", *rows]
    return "\n".join([f"### {title}", "", *([_sentence(about), ""] if about else []), *lines])


def _described(section: type[config.Section]) -> Iterator[tuple[msgspec.structs.FieldInfo, str]]:
    texts = _comments()[section.__name__]
    for field in msgspec.structs.fields(section):
        yield field, texts.get(field.name, "")


def _comments() -> dict[str, dict[str, str]]:
    """The comment beside each key, or above it, by class and key."""
    lines = SOURCE.read_text().split("\n")
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse("\n".join(lines)).body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = {
                each.target.id: _comment(lines, each)
                for each in node.body
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
            }
    return found


def _comment(lines: list[str], node: ast.AnnAssign) -> str:
    beside = COMMENT.search(lines[(node.end_lineno or node.lineno) - 1][node.end_col_offset or 0 :])
    above = lines[node.lineno - 2].strip()
    if beside is not None:
        return beside[1]
    text = above.removeprefix("# ").removesuffix(".")
    return text[:1].lower() + text[1:] if above.startswith("# ") else ""


def _row(field: msgspec.structs.FieldInfo, text: str) -> str:
    cells = (f"`{field.name}`", _kind(field.type), _default(field.default), text)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return "list of texts"
    return KINDS[kind]


def _is_section(kind: Any) -> bool:
    return get_origin(kind) in (dict, types.UnionType) or (isinstance(kind, type) and issubclass(kind, config.Section))


def _default(value: Any) -> str:
    if value is msgspec.NODEFAULT:
        return "required"
    return f"`{msgspec.json.encode(value).decode()}`"


def _sentence(text: str) -> str:
    """A sentence of its own from what follows a colon."""
    text = text[0].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def rewritten(text: str) -> str:
    """The document with its tables made anew."""
    return with_marked(text, MARKERS, tables())


def main() -> int:
    """Rewrite the document."""
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
