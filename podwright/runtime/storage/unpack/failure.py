"""Failures of the unpacking, in the kinds that the parent distinguishes."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing takes longer than unpacking a small layer
if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["bad", "limit", "space", "aborted", "io"]


class UnpackError(Exception):
    """A failure. `kind` is one of bad, limit, space, aborted and io.

    bad: the layer is malformed or hostile. limit: it is larger than allowed. space: the disk is full. aborted: the
    download ended early. io: the host failed.
    """

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind


def shown(name: bytes) -> str:
    """A name from an archive for a message: printable and shortened."""
    text = name.decode("utf-8", "backslashreplace")
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= 200 else f"{text[:200]}... ({len(name)} bytes)"
