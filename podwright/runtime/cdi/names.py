"""Names of CDI devices, such as `vendor.com/class=name`, and their places in a request. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from podwright.errors import InvalidArgument

ANNOTATION_PREFIX = "cdi.k8s.io/"
_WORD = r"[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
KIND = re.compile(rf"{_WORD}/{_WORD}")
DEVICE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?")
QUALIFIED = re.compile(rf"{KIND.pattern}={DEVICE.pattern}")


def requested(fields: Iterable[str], annotations: Mapping[str, str]) -> tuple[str, ...]:
    """The devices of a request without duplicates: from its own field first, then from the annotations, sorted by key.

    Raises InvalidArgument for anything other than the complete name of a device.
    """
    keys = sorted(key for key in annotations if key.startswith(ANNOTATION_PREFIX))
    found = [*fields, *(name for key in keys for name in annotations[key].split(","))]
    for name in found:
        if QUALIFIED.fullmatch(name) is None:
            raise InvalidArgument(f"{name[:200]!r} is not the name of a CDI device", hint="vendor.com/class=name")
    return tuple(dict.fromkeys(found))
