"""Reading small files of /proc and /sys that may not be there."""

from __future__ import annotations


def read_text(path: str) -> str:
    """The file's text, stripped; empty when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def read_integer(path: str, default: int = 0) -> int:
    """The file's number; `default` when there is none."""
    try:
        return int(read_text(path))
    except ValueError:
        return default
