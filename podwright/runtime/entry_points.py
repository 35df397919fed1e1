"""What other Python packages offer the daemon, by their entry points.

The library for it takes 12 ms to load, and few hosts have such packages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One entry point: `place` is its module and name. `load` imports it, and raises what the import raises."""

    name: str
    place: str
    load: Callable[[], Any]


def offers(group: str) -> tuple[Offer, ...]:
    """Those of a group. Nothing of them is imported."""
    from importlib import metadata  # noqa: PLC0415 # see the module's docstring

    found = metadata.entry_points(group=group)
    return tuple(Offer(name=entry.name, place=entry.value, load=entry.load) for entry in found)
