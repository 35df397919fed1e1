"""The rotated parts of a log: their names, and which of them to remove or compress. Pure.

`0.log` becomes `0.log.20260131-120000`, and one rotation later `0.log.20260131-120000.gz`: until then readers may have
the uncompressed file open. The names are the kubelet's (pkg/kubelet/logs), because log collectors rely on them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import msgspec

COMPRESSED, TEMPORARY = ".gz", ".tmp"


class Cleaning(msgspec.Struct, frozen=True, kw_only=True):
    """What to do before a log is rotated."""

    remove: tuple[str, ...]
    compress: tuple[str, ...]


def cleaning(names: Iterable[str], max_files: int) -> Cleaning:
    """Decide which of one log's rotated parts to remove and to compress.

    The log itself and its next part count among `max_files`.
    """
    parts = sorted(names)
    leftovers = [name for name in parts if _is_leftover(name, parts)]
    kept = [name for name in parts if name not in leftovers]
    excess = kept[: max(len(kept) - max(max_files - 2, 0), 0)]
    compress = [name for name in kept[len(excess) :] if not name.endswith(COMPRESSED)]
    return Cleaning(remove=(*leftovers, *excess), compress=tuple(compress))


def _is_leftover(name: str, parts: Collection[str]) -> bool:
    """Whether a file is an incomplete compressed file, or a compressed part that a killed agent did not remove."""
    return name.endswith(TEMPORARY) or f"{name}{COMPRESSED}" in parts


def rotated_name(name: str, now_ns: int) -> str:
    """The name of a rotated log, with the local time."""
    return f"{name}.{datetime.fromtimestamp(now_ns // 10**9):%Y%m%d-%H%M%S}"  # local time, as in other runtimes
