"""Versions of the Engine's API: which one is spoken, and which engines are too old. Pure."""

from __future__ import annotations

from podwright.errors import FailedPrecondition

Version = tuple[int, int]
OLDEST: Version = (1, 41)  # Docker Engine 20.10
OLDEST_ENGINE = "20.10"


def parse(text: str) -> Version:
    """`1.41` as numbers. Raises FailedPrecondition for a text that is no version."""
    major, dot, minor = text.partition(".")
    if not (dot and major.isdecimal() and minor.isdecimal()):
        raise FailedPrecondition(f"the Docker Engine reports an invalid API version: {text[:40]!r}")
    return int(major), int(minor)


def spoken(engine: str, newest: str, oldest: str) -> Version:
    """The version to speak with an engine called `engine`, which knows the versions `oldest` to `newest`.

    It is the oldest that both know, because a newer one may change what a field means. Raises FailedPrecondition for
    an engine that is too old.
    """
    top = parse(newest)
    if top < OLDEST:
        raise FailedPrecondition(
            f"Docker Engine {engine} is too old: its API is {newest}, and Podwright needs {text(OLDEST)}",
            hint=f"install Docker Engine {OLDEST_ENGINE} or newer",
        )
    return max(OLDEST, parse(oldest)) if oldest else OLDEST


def text(version: Version) -> str:
    """`1.41`."""
    return f"{version[0]}.{version[1]}"
