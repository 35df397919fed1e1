"""Detach keys: a key sequence that ends a session while the command keeps running. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from podwright.errors import InvalidArgument

DEFAULT = "ctrl-p,ctrl-q"
_SPECIAL = "@abcdefghijklmnopqrstuvwxyz[\\]^_"  # ctrl with the character at index N sends the byte N


def parse_keys(text: str) -> bytes:
    """The bytes that a terminal sends for `ctrl-p,ctrl-q`. "" means none. Raises InvalidArgument."""
    return bytes(_key(word) for word in text.split(",")) if text else b""


def _key(word: str) -> int:
    bare = word.lower().removeprefix("ctrl-")
    if word.lower().startswith("ctrl-") and len(bare) == 1 and bare in _SPECIAL:
        return _SPECIAL.index(bare)
    if len(word) == 1 and word.isascii():
        return ord(word)
    raise InvalidArgument(f"{word!r} is not a key", hint="use keys such as a or ctrl-p, separated by commas")


class DetachKeys:
    """Finds the keys in typed input. A possible beginning of the sequence is held back until the next key."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""
        self.pressed = False

    def feed(self, typed: bytes) -> bytes:
        """The input for the command. Empty after `pressed`."""
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
        """Input that is still held back at the end."""
        held, self._held = self._held, b""
        return held


def _overlap(seen: bytes, keys: bytes) -> bytes:
    """The longest end of `seen` that is a proper beginning of `keys`."""
    lengths: Sequence[int] = range(min(len(seen), len(keys) - 1), 0, -1)
    return next((seen[-length:] for length in lengths if keys.startswith(seen[-length:])), b"")
