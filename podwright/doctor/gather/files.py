"""Reads small files of /proc and /sys that may be absent."""

from __future__ import annotations


def read_text(path: str) -> str:
    """The file's text without surrounding blanks. Empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def read_integer(path: str, default: int = 0) -> int:
    """The file's number, or `default`."""
    try:
        return int(read_text(path))
    except ValueError:
        return default
