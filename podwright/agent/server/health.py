"""`/healthz`: whether the agent does its work. Each check says what is wrong; an empty text is well."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Check = Callable[[], str]


class Health:
    """Named checks."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = dict(checks)

    def names(self) -> list[str]:
        """The checks, each with a path of its own."""
        return list(self._checks)

    def problem(self, name: str) -> str | None:
        """What one check says; None when there is no such check."""
        check = self._checks.get(name)
        return check() if check is not None else None

    def report(self, *, verbose: bool = False) -> tuple[bool, str]:
        """Whether all is well, and a text: `ok`, or a line for each check."""
        problems = {name: check() for name, check in self._checks.items()}
        well = not any(problems.values())
        if well and not verbose:
            return True, "ok"
        lines = [f"[-]{name} failed: {problem}" if problem else f"[+]{name} ok" for name, problem in problems.items()]
        lines.append("healthz check passed" if well else "healthz check failed")
        return well, "\n".join(lines) + "\n"


def loop_check(silent_s: Callable[[], float], sync_frequency_s: float) -> Check:
    """The sync loop must be entered now and then: twice in a sync period, or in five minutes."""
    longest_s = max(300.0, 2 * sync_frequency_s)

    def check() -> str:
        silent = silent_s()
        return f"the sync loop was last entered {silent:.0f} s ago" if silent > longest_s else ""

    return check
