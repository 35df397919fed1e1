"""Following a manifest file: its text, and when it has become another one."""

from __future__ import annotations

import asyncio

from podwright.errors import InvalidArgument
from podwright.k8s.reading.documents import MANIFEST_LIMIT_BYTES

POLL_S = 0.3


def read_text(path: str) -> str:
    """The file's text; `-` is standard input. Raises InvalidArgument when it cannot be read."""
    try:
        with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
            data = file.read(MANIFEST_LIMIT_BYTES + 1)
        return data.decode()
    except OSError as failure:
        raise InvalidArgument(f"cannot read {path}: {failure.strerror}") from failure
    except UnicodeDecodeError as failure:
        raise InvalidArgument(f"{path} is not UTF-8 text") from failure


async def changed_text(path: str, known: str) -> str:
    """Wait until the file holds another text, and the same one twice: editors write in steps."""
    candidate = known
    while True:
        await asyncio.sleep(POLL_S)
        try:
            text = read_text(path)
        except InvalidArgument:  # being replaced right now
            continue
        if text != known and text == candidate:
            return text
        candidate = text
