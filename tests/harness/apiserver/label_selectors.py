"""Label selectors from text (`app=web,tier in (a, b),!gone`), as kube-apiserver reads those of a request. Pure.

Rules: apimachinery's pkg/labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from podwright.errors import InvalidArgument
from podwright.k8s.selectors import Operator, Requirement, Selector, selector_of

_TOKEN = re.compile(r"\s*(?:(==|!=|=|!|<|>|,|\(|\))|([^\s=!<>,()]+))")
_SIGNS = frozenset({"=", "==", "!=", "!", "<", ">", ",", "(", ")"})


def parse_selector(text: str) -> Selector:
    """The textual form, as `kubectl -l` takes it. Raises InvalidArgument."""
    tokens = _Tokens(text)
    requirements = []
    while tokens.peek():
        requirements.append(_requirement(tokens))
        if tokens.peek() and tokens.take() != ",":
            raise tokens.refuse()
        if tokens.ended_by_comma():
            raise tokens.refuse()
    return selector_of(requirements)


def _requirement(tokens: _Tokens) -> Requirement:
    if tokens.peek() == "!":
        tokens.take()
        return Requirement(key=tokens.word(), operator=Operator.DOES_NOT_EXIST)
    key = tokens.word()
    match tokens.peek():
        case "" | ",":
            return Requirement(key=key, operator=Operator.EXISTS)
        case "=" | "==":
            tokens.take()
            return Requirement(key=key, operator=Operator.IN, values=(tokens.optional_word(),))
        case "!=":
            tokens.take()
            return Requirement(key=key, operator=Operator.NOT_IN, values=(tokens.optional_word(),))
        case ">" | "<":
            operator = Operator.GREATER if tokens.take() == ">" else Operator.LESS
            return Requirement(key=key, operator=operator, values=(tokens.word(),))
        case "in" | "notin":
            operator = Operator.IN if tokens.take() == "in" else Operator.NOT_IN
            return Requirement(key=key, operator=operator, values=tuple(_values(tokens)))
        case _:
            raise tokens.refuse()


def _values(tokens: _Tokens) -> Iterator[str]:
    if tokens.take() != "(":
        raise tokens.refuse()
    while True:
        yield tokens.optional_word()
        match tokens.take():
            case ")":
                return
            case ",":
                continue
            case _:
                raise tokens.refuse()


class _Tokens:
    """The text taken apart."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [match[1] or match[2] for match in _TOKEN.finditer(text)]
        self._next = 0

    def peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self._next += 1
        return token

    def word(self) -> str:
        token = self.take()
        if not token or token in _SIGNS:
            raise self.refuse()
        return token

    def optional_word(self) -> str:
        """A value, which may be empty."""
        return "" if self.peek() in ("", ",", ")") else self.word()

    def ended_by_comma(self) -> bool:
        return not self.peek() and bool(self._tokens) and self._tokens[-1] == "," and self._next == len(self._tokens)

    def refuse(self) -> InvalidArgument:
        return InvalidArgument(f"{self._text!r} is not a label selector")
