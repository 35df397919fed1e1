"""Detach keys: a sequence that leaves a session while the command runs on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from podwright.errors import InvalidArgument

DEFAULT = "ctrl-p,ctrl-q"
_SPECIAL = "@abcdefghijklmnopqrstuvwxyz[\\]^_"  # ctrl and the character at each place is the byte of that value


def parse_keys(text: str) -> bytes:
    """`ctrl-p,ctrl-q` as the bytes that a terminal sends; "" means none. Raises InvalidArgument."""
    return bytes(_key(word) for word in text.split(",")) if text else b""


def _key(word: str) -> int:
    bare = word.lower().removeprefix("ctrl-")
    if word.lower().startswith("ctrl-") and len(bare) == 1 and bare in _SPECIAL:
        return _SPECIAL.index(bare)
    if len(word) == 1 and word.isascii():
        return ord(word)
    raise InvalidArgument(f"{word!r} is no key", hint="name keys like a, or ctrl-p, with commas between them")


class DetachKeys:
    """Looks for the keys in what is typed. What could be their beginning is held back until the next key decides."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""
        self.pressed = False

    def feed(self, typed: bytes) -> bytes:
        """What goes to the command; after `pressed`, nothing does."""
        if not self._keys or self.pressed:
            return b"" if self.pressed else typed
        seen = self._held + typed
        at = seen.find(self._keys)
        if at >= 0:
            self.pressed, self._held = True, b""
            return seen[:at]
        self._held = _overlap(seen, self._keys)
        return seen[: len(seen) - len(self._held)]

    def rest(self) -> bytes:
        """What is still held back, at the end of the input."""
        held, self._held = self._held, b""
        return held


def _overlap(seen: bytes, keys: bytes) -> bytes:
    """The longest end of `seen` that is a beginning of `keys`, and not all of it."""
    lengths: Sequence[int] = range(min(len(seen), len(keys) - 1), 0, -1)
    return next((seen[-length:] for length in lengths if keys.startswith(seen[-length:])), b"")
