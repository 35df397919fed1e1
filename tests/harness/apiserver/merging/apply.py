"""A patch's content type to what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.harness.apiserver.documents import Document
from tests.harness.apiserver.failures import ApiError
from tests.harness.apiserver.merging.json_merge import merge
from tests.harness.apiserver.merging.json_patch import operate
from tests.harness.apiserver.merging.strategic import strategic_merge
from tests.harness.apiserver.resources import Resource

_BY_TYPE: dict[str, Callable[[Document, Any, Resource], Any]] = {
    "application/strategic-merge-patch+json": lambda document, patch, resource: strategic_merge(
        document, patch, resource.shape
    ),
    "application/merge-patch+json": lambda document, patch, _: merge(document, patch),
    "application/json-patch+json": lambda document, patch, _: operate(document, patch),
    "application/apply-patch+yaml": lambda document, patch, resource: strategic_merge(document, patch, resource.shape),
}


def patched(document: Document, patch: Any, content_type: str, resource: Resource) -> Document:
    """The document after the patch. Raises ApiError."""
    act = _BY_TYPE.get(content_type)
    if act is None:
        raise ApiError(
            415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content_type}"
        )
    try:
        result = act(document, patch, resource)
    except (KeyError, IndexError, TypeError, ValueError) as failure:
        raise ApiError(422, "Invalid", f"the patch cannot be applied: {failure!r}") from failure
    if not isinstance(result, dict):
        raise ApiError(422, "Invalid", "the patch leaves no object")
    return result
