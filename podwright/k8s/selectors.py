"""Label selectors: from the API's LabelSelector, and to text (`app=web,tier in (a,b),!gone`). Pure.

Rules: apimachinery's pkg/labels. A requirement on a missing label is met by NotIn, != and DoesNotExist only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum

import msgspec

from podwright.errors import InvalidArgument
from podwright.k8s.names import label_value_faults, qualified_name_faults
from podwright.k8s.objects.meta import LabelSelector


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
    items = sorted(labels.items())
    return Selector(
        requirements=tuple(Requirement(key=key, operator=Operator.IN, values=(value,)) for key, value in items)
    )


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
    return selector_of(requirements)


def selector_of(requirements: Iterable[Requirement]) -> Selector:
    """The selector of conditions. Raises InvalidArgument for one that the API refuses."""
    selector = Selector(requirements=tuple(requirements))
    for item in selector.requirements:
        faults = [*qualified_name_faults(item.key), *_value_faults(item)]
        if faults:
            raise InvalidArgument(f"label selector {str(item)!r}: {'; '.join(faults)}")
    return selector


def _compares(value: str, operator: Operator, limit: str) -> bool:
    try:
        number, bound = int(value), int(limit)
    except ValueError:
        return False
    return number > bound if operator is Operator.GREATER else number < bound


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
