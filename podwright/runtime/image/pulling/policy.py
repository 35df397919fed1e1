"""What the configuration requires before an image may be pulled: nothing, a signature, or it is rejected. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from podwright.errors import InvalidArgument
from podwright.runtime.config import SignatureSettings


class SignatureRequirement(msgspec.Struct, frozen=True, kw_only=True):
    """The requirement for one image. `keys` are files. `identity` is the repository that a signature must name."""

    action: Literal["accept", "reject", "signed"]
    keys: tuple[str, ...]
    identity: str
    rule: str  # the configuration's key, for messages


class Policy:
    """The rules by their prefixes."""

    def __init__(self, settings: SignatureSettings) -> None:
        """Raises InvalidArgument for invalid rules."""
        self._settings = settings
        for name, rule in (("default", settings.default), *settings.rules.items()):
            where = f"config: signatures: {name}"
            if rule.action == "signed" and not rule.keys:
                raise InvalidArgument(f"{where}: action signed needs keys")
            if rule.action != "signed" and (rule.keys or rule.signed_as):
                raise InvalidArgument(f"{where}: keys and signed_as need action signed, not {rule.action}")
            if not all(key.startswith("/") for key in rule.keys):
                raise InvalidArgument(f"{where}: keys must be absolute paths")
        for prefix in settings.rules:
            if not prefix or prefix.endswith("/") or "@" in prefix or prefix != prefix.strip():
                raise InvalidArgument(f"config: signatures.rules: {prefix!r} is not a registry or repository")
        if settings.default.signed_as:
            raise InvalidArgument(
                "config: signatures.default: signed_as replaces a prefix, and the default rule has none"
            )

    def requirement(self, name: str) -> SignatureRequirement:
        """The requirement for the image with this complete name, without tag and digest."""
        for prefix in _prefixes(name):
            rule = self._settings.rules.get(prefix)
            if rule is not None:
                return SignatureRequirement(
                    action=rule.action,
                    keys=rule.keys,
                    identity=(rule.signed_as or prefix) + name[len(prefix) :],
                    rule=f'signatures.rules."{prefix}"',
                )
        default = self._settings.default
        return SignatureRequirement(action=default.action, keys=default.keys, identity=name, rule="signatures.default")


def _prefixes(name: str) -> Iterator[str]:
    """The name and its prefixes, the longest first."""
    while name:
        yield name
        name = name.rpartition("/")[0]
