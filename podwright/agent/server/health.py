"""`/healthz`: whether the agent works. Each check returns the problem, or an empty text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

Check = Callable[[], str]


class Health:
    """Named checks."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = dict(checks)

    def names(self) -> list[str]:
        """The names of the checks, each of which has its own path."""
        return list(self._checks)

    def problem(self, name: str) -> str | None:
        """The problem of one check. None if there is no such check."""
        check = self._checks.get(name)
        return check() if check is not None else None

    def report(self, *, verbose: bool = False, excluded: Collection[str] = ()) -> tuple[bool, str]:
        """Whether all checks pass, and a text: `ok`, or a line for each check (apiserver's healthz).

        Everyone may read the report, so problems are only at the paths of the checks.
        """
        lines, well = [], True
        for name, check in self._checks.items():
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok")
            elif check():
                lines.append(f"[-]{name} failed: reason withheld")
                well = False
            else:
                lines.append(f"[+]{name} ok")
        if unknown := sorted(set(excluded) - self._checks.keys()):
            names = ", ".join(f'"{name}"' for name in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {names}")
        if not well:
            return False, "\n".join((*lines, "healthz check failed"))
        return True, "\n".join((*lines, "healthz check passed\n")) if verbose else "ok"


def loop_check(silent_s: Callable[[], float], sync_frequency_s: float) -> Check:
    """A check of the sync loop.

    It fails if no turn has begun for five minutes, or for two sync periods if they are longer.
    """
    longest_s = max(300.0, 2 * sync_frequency_s)

    def check() -> str:
        silent = silent_s()
        return f"the sync loop was last entered {silent:.0f} s ago" if silent > longest_s else ""

    return check
