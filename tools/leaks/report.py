"""The leak check's findings as text for people."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from tools.leaks.thing import Thing


def report(things: Sequence[Thing]) -> str:
    """One block per kind, one line per thing; things that nothing traces to the run are marked."""
    lines = [f"{len(things)} things were left behind on this host:"]
    for kind, group in groupby(things, key=lambda thing: thing.kind):
        lines.append(f"  {kind}")
        for thing in group:
            mark = "" if thing.ours else "  [not traced to this run]"
            lines.append(f"    {thing.name}{mark}")
            if thing.detail:
                lines.append(f"      {thing.detail}")
    return "\n".join(lines)
