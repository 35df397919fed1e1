"""Objects as JSON documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from podwright.k8s.selectors import Selector
from tests.harness.apiserver.failures import ApiError
from tests.harness.apiserver.label_selectors import parse_selector

Document = dict[str, Any]
_TERM = re.compile(r"([\w./\[\]-]+)(==|!=|=)(.*)")


def metadata(document: Mapping[str, Any]) -> Document:
    """An object's metadata."""
    found: Document = document.get("metadata") or {}
    return found


def version_of(document: Mapping[str, Any]) -> int:
    """Its resource version."""
    return int(metadata(document).get("resourceVersion") or 0)


def field_of(document: Any, path: str) -> str:
    """A field as field selectors see it: the zero value's text where there is none."""
    for part in path.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    if isinstance(document, bool):
        return "true" if document else "false"
    return "" if document is None else str(document)


_ANYTHING = Selector()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A namespace, labels and fields."""

    namespace: str = ""
    labels: Selector = _ANYTHING
    fields: tuple[tuple[str, bool, str], ...] = ()

    def takes(self, document: Mapping[str, Any] | None) -> bool:
        """Whether the object is selected; None never is."""
        if document is None:
            return False
        data = metadata(document)
        if self.namespace and data.get("namespace") != self.namespace:
            return False
        if not self.labels.matches(data.get("labels") or {}):
            return False
        return all((field_of(document, path) == value) is wanted for path, wanted, value in self.fields)


def read_filter(namespace: str, labels: str, fields: str) -> Filter:
    """The filter of a request. Raises ApiError."""
    terms = []
    for term in filter(None, fields.split(",")):
        match = _TERM.fullmatch(term)
        if match is None:
            raise ApiError(400, "BadRequest", f"unable to parse field selector {fields!r}")
        terms.append((match[1], match[2] != "!=", match[3]))
    return Filter(namespace=namespace, labels=parse_selector(labels), fields=tuple(terms))
