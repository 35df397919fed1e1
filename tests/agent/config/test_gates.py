"""Feature gates: states, and choices that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.config.gates import GATES, HONOURED, enabled, problems, remarks
from podwright.agent.config.known_gates import NEEDS

FREE = sorted(name for name, gate in GATES.items() if not gate.locked and name not in {"AllAlpha", "AllBeta"})


def test_the_defaults_are_no_problem_and_hold() -> None:
    assert problems({}) == []
    assert enabled({}) == {name: gate.default for name, gate in GATES.items()}


@pytest.mark.parametrize(
    ("name", "stage", "default", "locked"),
    [
        ("EventedPLEG", "Alpha", False, False),
        ("KubeletCrashLoopBackOffMax", "Beta", True, False),
        ("NodeSwap", "GA", True, True),
        ("CustomCPUCFSQuotaPeriod", "GA", True, False),
        ("GitRepoVolumeDriver", "Deprecated", False, True),
        ("ContextualLogging", "Beta", True, False),
        ("WatchListClient", "Beta", True, False),
    ],
)
def test_gates_of_1_36(name: str, stage: str, default: bool, locked: bool) -> None:
    gate = GATES[name]
    assert (gate.stage, gate.default, gate.locked) == (stage, default, locked)


@pytest.mark.parametrize(
    ("chosen", "problem"),
    [
        ({"EventedPleg": True}, "there is no feature gate EventedPleg, did you mean EventedPLEG?"),
        ({"Quite": True}, "there is no feature gate Quite"),
        ({"NodeSwap": False}, "feature gate NodeSwap is locked to true"),
        ({"GitRepoVolumeDriver": True}, "feature gate GitRepoVolumeDriver is locked to false"),
        (
            {"ContainerRestartRules": False},
            "feature gate RestartAllContainersOnContainerExits is on but needs ContainerRestartRules, which is off",
        ),
    ],
)
def test_choices_that_a_kubelet_refuses(chosen: dict[str, bool], problem: str) -> None:
    assert problems(chosen) == [problem]


def test_a_locked_gate_may_be_set_to_what_it_is() -> None:
    assert problems({"NodeSwap": True}) == []


def test_a_gate_of_its_own_counts_more_than_all_of_its_stage() -> None:
    states = enabled({"AllAlpha": True, "EventedPLEG": False})
    assert states["MemoryQoS"]
    assert not states["EventedPLEG"]
    assert not enabled({"AllBeta": False})["KubeletCrashLoopBackOffMax"]


def test_what_a_user_hears_of_a_choice() -> None:
    assert remarks({}) == []
    assert remarks({"KubeletCrashLoopBackOffMax": True}) == []
    assert remarks({"NodeSwap": True, "CSIVolumeHealth": False}) == [
        "feature gates that a later release drops: NodeSwap (GA)",
        "feature gates that change nothing here: NodeSwap, CSIVolumeHealth",
    ]


def test_needs_and_honoured_gates_exist() -> None:
    assert {name for needs in NEEDS.values() for name in needs} | NEEDS.keys() | HONOURED <= GATES.keys()


@given(st.dictionaries(st.sampled_from(FREE), st.booleans(), max_size=6))
def test_a_choice_without_problems_gives_every_gate_its_state_and_its_needs(chosen: dict[str, bool]) -> None:
    if problems(chosen):
        return
    states = enabled(chosen)
    assert states.keys() == GATES.keys()
    assert chosen.items() <= states.items()
    assert all(states[need] for name, needs in NEEDS.items() if states[name] for need in needs)
