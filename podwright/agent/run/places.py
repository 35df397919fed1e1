"""Finds the place of a fault: file, line and object, in the format that editors jump to. Pure."""

from __future__ import annotations

import re

import msgspec
from msgspec.structs import replace as replace_problem

from podwright.k8s.problems import Problem
from podwright.k8s.reading.documents import Document
from podwright.k8s.reading.tree import Fields, Node, Sequence

STDIN = "-"
_STEP = re.compile(r"([^.\[\]]+)|\[([^\]]*)\]")


class DocumentPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A document of a file. `number` counts the file's documents from 1."""

    file: str
    document: Document

    @property
    def label(self) -> str:
        """`Deployment web`, or `document 2` for a document without kind and name."""
        text = " ".join(part for part in (self.document.kind, self.document.name) if part)
        return text or f"document {self.document.number}"

    def locate(self, problem: Problem) -> Problem:
        """The problem with `FILE:LINE: KIND NAME:` before its path."""
        line = problem.line or line_of(self.document.root, problem.path)
        start = f"{shown(self.file)}:{line}" if line else shown(self.file)
        path = ": ".join(part for part in (start, self.label, problem.path) if part)
        return replace_problem(problem, path=path, line=0)

    def at(self) -> str:
        """`FILE:LINE` of the document's first line."""
        line = self.document.root.line
        return f"{shown(self.file)}:{line}" if line else shown(self.file)


def in_file(file: str, problem: Problem) -> Problem:
    """A problem of a file as a whole."""
    start = f"{shown(file)}:{problem.line}" if problem.line else shown(file)
    path = f"{start}: {problem.path}" if problem.path else start
    return replace_problem(problem, path=path, line=0)


def shown(file: str) -> str:
    """A file's name for people."""
    return "standard input" if file == STDIN else file


def line_of(root: Fields, path: str) -> int:
    """The line of a field path, or of its deepest part that the document has. 0 if no line is known."""
    node: Node = root
    line = root.line
    for match in _STEP.finditer(path):
        name, inside = match[1], match[2]
        step = name if name is not None else inside
        if isinstance(node, Sequence) and step.isdigit() and int(step) < len(node.items):
            node = node.items[int(step)]
            line = node.line or line
        elif isinstance(node, Fields) and step in node.entries:
            entry = node.entries[step]
            node, line = entry.value, entry.line or line
        else:
            break
    return line
