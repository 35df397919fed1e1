"""Findings in words and as JSON."""

from __future__ import annotations

import json

from podwright.doctor.checks import judge_all
from podwright.doctor.report import as_json, as_text, conclusion, is_ready
from tests.doctor.test_judgements import GOOD, but


def test_a_good_machine() -> None:
    findings = judge_all(GOOD)
    assert is_ready(findings)
    assert conclusion(findings) == "This machine can run pods (0 warnings, 0 notes)."
    assert as_text(findings, only_problems=True).strip() == conclusion(findings)


def test_warnings_do_not_make_it_unready_and_what_is_missing_does() -> None:
    assert is_ready(judge_all(but(security__seccomp_profile="", criu=None)))
    findings = judge_all(but(conmon=None))
    assert not is_ready(findings)
    text = as_text(findings, only_problems=True)
    assert text.splitlines()[0].split()[:3] == ["MISS", "conmon", "not"]
    assert "mend:  apt install conmon" in text
    assert "cannot run pods yet: 1 necessary" in text


def test_json_has_findings_and_facts() -> None:
    facts = but(conmon=None)
    document = json.loads(as_json(judge_all(facts), facts))
    assert document["ready"] is False
    conmon = next(each for each in document["findings"] if each["check"] == "runtime.conmon")
    assert conmon["level"] == "missing"
    assert document["facts"]["kernel"]["release"] == "6.12.9"
