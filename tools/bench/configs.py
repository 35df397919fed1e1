"""Configurations as they are reported: without the directory that this run happened to get."""

from __future__ import annotations

from pathlib import Path

STAND_IN = "SCRATCH"


def portable(config: Path, scratch: Path, out: Path) -> Path:
    """A copy in `out` that says SCRATCH for the scratch directory."""
    out.mkdir(parents=True, exist_ok=True)
    copy = out / config.name
    copy.write_text(config.read_text().replace(str(scratch), STAND_IN))
    return copy
