"""Label selectors: as text (`app=web,tier in (a, b),!gone`) and as the API's LabelSelector. Pure.

Rules: apimachinery's pkg/labels. A requirement on a missing label is met by NotIn, != and DoesNotExist only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum

import msgspec

from podwright.errors import InvalidArgument
from podwright.k8s.names import label_value_faults, qualified_name_faults
from podwright.k8s.objects.meta import LabelSelector

_TOKEN = re.compile(r"\s*(?:(==|!=|=|!|<|>|,|\(|\))|([^\s=!<>,()]+))")
_SIGNS = frozenset({"=", "==", "!=", "!", "<", ">", ",", "(", ")"})
_HINT = "such as app=web, tier in (a, b), !canary"


class Operator(Enum):
    """What is asked of a label's value."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GREATER = "Gt"
    LESS = "Lt"


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """One condition on one label."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet it."""
        value = labels.get(self.key)
        if value is None:
            return self.operator in (Operator.NOT_IN, Operator.DOES_NOT_EXIST)
        if self.operator in (Operator.IN, Operator.NOT_IN):
            return (value in self.values) is (self.operator is Operator.IN)
        if self.operator in (Operator.EXISTS, Operator.DOES_NOT_EXIST):
            return self.operator is Operator.EXISTS
        return _compares(value, self.operator, self.values[0])

    def __str__(self) -> str:
        match self.operator:
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case Operator.GREATER | Operator.LESS:
                return f"{self.key}{'>' if self.operator is Operator.GREATER else '<'}{self.values[0]}"
            case Operator.IN if len(self.values) == 1:
                return f"{self.key}={self.values[0]}"
            case _:
                word = "in" if self.operator is Operator.IN else "notin"
                return f"{self.key} {word} ({','.join(self.values)})"


class Selector(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions that must all be met. An empty selector selects everything, and `nothing` selects nothing."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return not self.nothing and all(item.matches(labels) for item in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(item) for item in self.requirements)


def from_labels(labels: Mapping[str, str]) -> Selector:
    """Every label must have its value: what a Service or a nodeSelector says."""
    return Selector(requirements=tuple(_equals(key, value) for key, value in sorted(labels.items())))


def from_label_selector(selector: LabelSelector | None) -> Selector:
    """A selector from the API's structure. None selects nothing, an empty one everything. Raises InvalidArgument."""
    if selector is None:
        return Selector(nothing=True)
    requirements = list(from_labels(selector.match_labels).requirements)
    for expression in selector.match_expressions:
        try:
            operator = Operator(expression.operator)
        except ValueError as failure:
            raise InvalidArgument(f"{expression.operator!r} is not a label selector's operator") from failure
        requirements.append(Requirement(key=expression.key, operator=operator, values=expression.values))
    _check(requirements)
    return Selector(requirements=tuple(requirements))


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
    _check(requirements)
    return Selector(requirements=tuple(requirements))


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
            return _equals(key, tokens.optional_word())
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
        return InvalidArgument(f"{self._text!r} is not a label selector", hint=_HINT)


def _equals(key: str, value: str) -> Requirement:
    return Requirement(key=key, operator=Operator.IN, values=(value,))


def _compares(value: str, operator: Operator, limit: str) -> bool:
    try:
        number, bound = int(value), int(limit)
    except ValueError:
        return False
    return number > bound if operator is Operator.GREATER else number < bound


def _check(requirements: list[Requirement]) -> None:
    for item in requirements:
        faults = [*qualified_name_faults(item.key), *_value_faults(item)]
        if faults:
            raise InvalidArgument(f"label selector {str(item)!r}: {'; '.join(faults)}", hint=_HINT)


def _value_faults(item: Requirement) -> Iterator[str]:
    match item.operator:
        case Operator.IN | Operator.NOT_IN:
            if not item.values:
                yield f"{item.operator.value} needs values"
            for value in item.values:
                yield from label_value_faults(value)
        case Operator.GREATER | Operator.LESS:
            if len(item.values) != 1 or not re.fullmatch(r"-?\d+", item.values[0], re.ASCII):
                yield f"{item.operator.value} needs one whole number"
        case _:
            if item.values:
                yield f"{item.operator.value} takes no values"
