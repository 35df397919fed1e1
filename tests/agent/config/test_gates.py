"""Feature gates: states, and choices that are refused."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.config import gates, known_gates
from podwright.agent.config.gates import GATES, HONOURED, enabled, problems, remarks
from podwright.agent.config.known_gates import NEEDS

FREE = sorted(name for name, gate in GATES.items() if not gate.locked and name not in {"AllAlpha", "AllBeta"})
# Words that mean something else where they stand: a kind of object, a field, a part of a file.
HOMONYMS = {"ClusterTrustBundle", "HostnameOverride", "PodLevelResources"}


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
    assert remarks({"NodeSwap": True, "EventedPLEG": False}) == [
        "feature gates that a later release drops: NodeSwap (GA)",
        "feature gates that change nothing here: NodeSwap, EventedPLEG",
    ]


def test_needs_and_honoured_gates_exist() -> None:
    assert {name for needs in NEEDS.values() for name in needs} | NEEDS.keys() | HONOURED <= GATES.keys()


def test_the_gates_that_the_agent_looks_at_are_honoured_and_no_others() -> None:
    """A gate is looked at by its name, so the name stands in the code. Those of the whole are in `gates` itself."""
    folder = Path(gates.__file__).parents[1]
    lists = {Path(gates.__file__), Path(known_gates.__file__)}
    texts = {text for path in folder.rglob("*.py") if path not in lists for text in _texts(path)}
    assert sorted(texts & set(FREE) - HOMONYMS) == sorted(HONOURED - {"AllAlpha", "AllBeta"})


def _texts(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


@given(st.dictionaries(st.sampled_from(FREE), st.booleans(), max_size=6))
def test_a_choice_without_problems_gives_every_gate_its_state_and_its_needs(chosen: dict[str, bool]) -> None:
    if problems(chosen):
        return
    states = enabled(chosen)
    assert states.keys() == GATES.keys()
    assert chosen.items() <= states.items()
    assert all(states[need] for name, needs in NEEDS.items() if states[name] for need in needs)
