"""Names of systemd's slices (systemd.slice(5)). Pure."""

from __future__ import annotations

SLICE = ".slice"


def nested(name: str) -> str:
    """The path of a slice's cgroup: slices nest by the dashes in their names, a-b.slice lies in a.slice.

    Empty for the root slice, `-.slice`.
    """
    stem = name.removesuffix(SLICE)
    if stem in ("", "-"):
        return ""
    parts = stem.split("-")
    return "".join(f"/{'-'.join(parts[: count + 1])}{SLICE}" for count in range(len(parts)))
