"""Checks and their findings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from podwright.doctor.facts import Facts

# ok: fine. note: something optional is absent. warning: it works, with a disadvantage. missing: pods cannot run.
Level = Literal["ok", "note", "warning", "missing"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`found` is the current state. Unless it is ok, `cost` is the consequence and `remedy` the fix."""

    level: Level
    found: str
    cost: str = ""
    remedy: str = ""


class DoctorCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the machine. `judge` is pure."""

    name: str
    title: str
    judge: Callable[[Facts], Finding]


def ok(found: str) -> Finding:
    """The check found no fault."""
    return Finding(level="ok", found=found)


def note(found: str, *, cost: str, remedy: str = "") -> Finding:
    """Something optional is absent."""
    return Finding(level="note", found=found, cost=cost, remedy=remedy)


def warning(found: str, *, cost: str, remedy: str) -> Finding:
    """It works, with a disadvantage."""
    return Finding(level="warning", found=found, cost=cost, remedy=remedy)


def missing(found: str, *, cost: str, remedy: str) -> Finding:
    """Pods cannot run."""
    return Finding(level="missing", found=found, cost=cost, remedy=remedy)
