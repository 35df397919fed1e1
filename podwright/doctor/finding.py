"""What a check finds, and what a check is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from podwright.doctor.facts import Facts

# ok: nothing to say. note: something optional is absent. warning: it works, but worse. missing: pods cannot run.
Level = Literal["ok", "note", "warning", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`found` is what is there; for anything but ok, `cost` is what it costs and `remedy` what mends it."""

    level: Level
    found: str
    cost: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorCheck:
    """One question to the machine. `judge` is pure."""

    name: str
    title: str
    judge: Callable[[Facts], Finding]


def ok(found: str) -> Finding:
    """All is well."""
    return Finding(level="ok", found=found)


def note(found: str, *, cost: str, remedy: str = "") -> Finding:
    """Something optional is absent."""
    return Finding(level="note", found=found, cost=cost, remedy=remedy)


def warning(found: str, *, cost: str, remedy: str) -> Finding:
    """It works, but worse."""
    return Finding(level="warning", found=found, cost=cost, remedy=remedy)


def missing(found: str, *, cost: str, remedy: str) -> Finding:
    """Pods cannot run."""
    return Finding(level="missing", found=found, cost=cost, remedy=remedy)
