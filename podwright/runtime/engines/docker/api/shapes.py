"""Answers that are JSON, but not the document that the Engine's API defines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec

from podwright.errors import Internal

WRONG_SHAPE = (
    AttributeError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
    msgspec.ValidationError,
)


@contextlib.contextmanager
def shaped(what: str) -> Iterator[None]:
    """For a block that takes values out of an answer. `what` names the call in messages.

    Raises Internal for an answer whose parts are not of the types that the block expects.
    """
    try:
        yield
    except WRONG_SHAPE as failure:
        raise Internal(
            f"Docker Engine: {what}: the answer is not what the Engine's API defines: {failure!r}",
            hint="is another program listening on the Engine's socket?",
        ) from failure
