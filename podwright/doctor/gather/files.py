"""Reads small files of /proc and /sys that may be absent."""

from __future__ import annotations

from podwright.linux import machine_files


def read_text(path: str) -> str:
    """The file's text without surrounding blanks. Empty if it cannot be read."""
    return machine_files.read_text(path).strip()


def read_integer(path: str, default: int = 0) -> int:
    """The file's number, or `default`."""
    try:
        return int(read_text(path))
    except ValueError:
        return default
