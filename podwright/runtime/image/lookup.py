"""Finds an image by id, prefix of an id, tag, digest or short name. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from podwright.errors import InvalidArgument
from podwright.runtime.image.records import ImageRecord
from podwright.runtime.registry import reference

_ID = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})")


def find(records: Mapping[str, ImageRecord], name: str) -> ImageRecord | None:
    """The image called `name`, or None. Names come before prefixes of ids.

    Raises InvalidArgument for an empty name and an ambiguous prefix.
    """
    if not name:
        raise InvalidArgument("the image name is empty")
    full = whole(name)
    for record in records.values():
        if full in record.targets:
            return record
    match = _ID.fullmatch(name)
    if match is None:
        return None
    prefix = "sha256:" + match[1]
    found = [record for key, record in records.items() if key.startswith(prefix)]
    if len(found) > 1:
        raise InvalidArgument(f"{name} is a prefix of {len(found)} image ids", hint="give more digits")
    return found[0] if found else None


def whole(name: str) -> str | None:
    """The complete reference for a name, or None if it is not a reference."""
    try:
        return str(reference.parse(name))
    except InvalidArgument:
        return None
