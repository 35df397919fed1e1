"""How unpacking can fail, as the parent has to tell it apart."""

from __future__ import annotations

TYPE_CHECKING = False  # typing would take longer to import than a small layer to unpack
if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["bad", "limit", "space", "aborted", "io"]


class UnpackError(Exception):
    """`kind` tells: the layer is malformed or hostile (bad), larger than allowed (limit), the disk is full (space),
    the download ended early (aborted), or the host failed (io)."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind


def shown(name: bytes) -> str:
    """A name from an archive for a message: printable and not endless."""
    text = name.decode("utf-8", "backslashreplace")
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= 200 else f"{text[:200]}... ({len(name)} bytes)"
