"""Parsers of the kernel's statistics files. Pure, and they never raise.

A number that is missing, malformed or beyond 64 bits is None, or left out of a table.
"""

from __future__ import annotations

from podwright.runtime.model.usage import UINT64_MAX

UINT64_DIGITS = 20
NS_PER_US = 1000
MEMORY_UNLIMITED = 2**62  # cgroup v1 writes "no limit" as a number near 2**63, rounded down to pages


def number(word: bytes) -> int | None:
    """An unsigned number, with optional blanks around it."""
    word = word.strip()
    if not word.isdigit() or len(word) > UINT64_DIGITS:
        return None
    value = int(word)
    return value if value <= UINT64_MAX else None


def field(text: bytes, key: bytes) -> int | None:
    """The number beside `key` in a flat file such as memory.stat ("key number" lines)."""
    start = 0 if text.startswith(key + b" ") else text.find(b"\n" + key + b" ") + 1
    if start == 0 and not text.startswith(key + b" "):
        return None
    start += len(key) + 1
    end = text.find(b"\n", start)
    return number(text[start:end] if end >= 0 else text[start:])


def count(text: bytes, key: bytes) -> int:
    """As `field`, but 0 if absent."""
    return field(text, key) or 0


def limit(text: bytes) -> int | None:
    """A limit in bytes or tasks. None if there is none ("max", or cgroup v1's huge number)."""
    value = number(text)
    return None if value is None or value > MEMORY_UNLIMITED else value


def ns(microseconds: int) -> int:
    """Microseconds as nanoseconds, within 64 bits."""
    return min(microseconds * NS_PER_US, UINT64_MAX)


def blkio(text: bytes) -> dict[tuple[int, int, str], int]:
    """cgroup v1's "major:minor operation number" lines, by these three, without the totals."""
    table: dict[tuple[int, int, str], int] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) != 3 or not words[1].isalpha() or words[1] == b"Total":
            continue
        device, value = _device(words[0]), number(words[2])
        if device is not None and value is not None:
            table[*device, words[1].decode("ascii")] = value
    return table


def io_stat(text: bytes) -> dict[tuple[int, int], dict[str, int]]:
    """cgroup v2's io.stat, "major:minor rbytes=1 wbytes=2 rios=3 wios=4 ..." lines, by device."""
    table: dict[tuple[int, int], dict[str, int]] = {}
    for line in text.splitlines():
        first, *pairs = line.split() or [b""]
        device = _device(first)
        if device is None:
            continue
        found = table.setdefault(device, {})
        for pair in pairs:
            key, _, word = pair.partition(b"=")
            value = number(word)
            if value is not None and key.isalpha():
                found[key.decode("ascii")] = value
    return table


def _device(word: bytes) -> tuple[int, int] | None:
    major, _, minor = word.partition(b":")
    numbers = number(major), number(minor)
    return None if numbers[0] is None or numbers[1] is None else (numbers[0], numbers[1])


def open_files_limit(text: bytes) -> int | None:
    """The soft limit of open files in /proc/PID/limits. None for "unlimited", which no kernel grants."""
    for line in text.splitlines():
        if line.startswith(b"Max open files"):
            words = line.split()
            return number(words[3]) if len(words) > 3 else None
    return None
