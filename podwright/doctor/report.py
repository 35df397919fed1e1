"""The doctor's findings as text and JSON, and the exit code. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from podwright.doctor.facts import Facts
from podwright.doctor.finding import DoctorCheck, Finding, Level

MARKS: dict[Level, str] = {"ok": "ok", "note": "note", "warning": "WARN", "missing": "MISS"}

Findings = Sequence[tuple[DoctorCheck, Finding]]


def is_ready(findings: Findings) -> bool:
    """Whether nothing required is missing."""
    return all(finding.level != "missing" for _, finding in findings)


def as_json(findings: Findings, facts: Facts) -> str:
    """`{"ready": …, "findings": […], "facts": {…}}`, indented."""
    document = {
        "ready": is_ready(findings),
        "findings": [
            {"check": check.name, "title": check.title, **msgspec.to_builtins(finding)} for check, finding in findings
        ],
        "facts": facts,
    }
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2).decode() + "\n"


def as_text(findings: Findings, *, only_problems: bool = False) -> str:
    """One line per check, with cost and remedy unless it is ok, and a sentence at the end."""
    width = max(len(check.title) for check, _ in findings)
    lines = []
    for check, finding in findings:
        if only_problems and finding.level == "ok":
            continue
        lines.append(f"{MARKS[finding.level]:<5} {check.title:<{width}}  {finding.found}")
        margin = " " * (width + 8)
        if finding.cost:
            lines.append(f"{margin}costs: {finding.cost}")
        if finding.remedy:
            lines.append(f"{margin}mend:  {finding.remedy}")
    return "\n".join([*lines, "", conclusion(findings), ""])


def conclusion(findings: Findings) -> str:
    """The result in one sentence."""
    count = {level: sum(finding.level == level for _, finding in findings) for level in MARKS}
    rest = f"{count['warning']} warnings, {count['note']} notes"
    if not is_ready(findings):
        return f"This machine cannot run pods yet: {count['missing']} necessary things are missing ({rest})."
    return f"This machine can run pods ({rest})."
