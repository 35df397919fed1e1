"""Following files: waits until their contents change (`--watch`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from podwright.agent.run.documents import find_files, read_file
from podwright.errors import InvalidArgument

POLL_S = 0.3  # notices would be missed on network file systems, and editors replace files

Texts = list[tuple[str, bytes]]


def read_texts(paths: Sequence[str]) -> Texts:
    """Every file that the paths name, with what it holds. Raises InvalidArgument."""
    return [(path, read_file(path)) for path in find_files(paths)]


async def changed_texts(paths: Sequence[str], known: Texts) -> Texts:
    """Wait until the files have other contents, twice the same in a row: editors write in steps.

    Files that cannot be read are being replaced: they are looked at again.
    """
    candidate = known
    while True:
        await asyncio.sleep(POLL_S)
        try:
            texts = await asyncio.to_thread(read_texts, paths)
        except InvalidArgument:
            continue
        if texts != known and texts == candidate:
            return texts
        candidate = texts
