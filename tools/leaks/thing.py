"""The words of the leak check: what is looked at (`Scope`), and one thing that was seen (`Thing`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How to recognise what belongs to one run, on a machine where others work too.

    `roots` are directories (absolute), `links` prefixes of interface names, `cgroups` parents relative to each
    hierarchy's root, `addresses` prefixes of IP addresses such as `10.7.3.`. Names are numbered: `x1` is not part of
    `x10`.
    """

    roots: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    cgroups: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def mentioned_in(self, text: str) -> bool:
        """Whether some text names anything of ours."""
        named = [_named(mark) for mark in (*self.roots, *self.links, *self.cgroups) if mark in text]
        addressed = [re.compile(rf"(?<![\d.]){re.escape(prefix)}") for prefix in self.addresses if prefix in text]
        return any(pattern.search(text) for pattern in (*named, *addressed))

    def has_link(self, name: str) -> bool:
        """Whether an interface has one of our names, or begins with one."""
        return any(_named(prefix).match(name) for prefix in self.links)

    def holds(self, path: str) -> bool:
        """Whether a path is one of our directories or below one."""
        return any(path == root or path.startswith(f"{root}/") for root in self.roots)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something that exists on the host. Two are the same when kind and name are."""

    kind: str
    name: str
    detail: str = field(default="", compare=False)
    ours: bool = field(default=False, compare=False)


def _named(mark: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(mark)}(?!\d)")
