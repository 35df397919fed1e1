"""Raw data to values and back, and the kubelet's defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.config import gates
from podwright.agent.config.defaults import EVICTION_HARD, complete, with_file_eviction
from podwright.agent.config.reading import Reading
from podwright.agent.config.setting import Setting
from podwright.agent.config.settings import BY_KEY, FIELDS
from podwright.agent.config.values import Values, decode, encode, known_part

# Facts: what a kubelet 1.36 shows for a file that only says what it is.
DEFAULTS = yaml.safe_load((Path(__file__).parent / "defaults.yaml").read_text())
ALL_GATES = gates.enabled({})


def _complete(**given: Any) -> Values:
    reading = Reading()
    values = decode(given, reading)
    assert (reading.faults, reading.strict) == ([], [])
    return complete(values, ALL_GATES)


def test_an_empty_file_means_the_defaults_of_the_kubelet() -> None:
    assert encode(_complete()) == DEFAULTS


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        ({"maxPods": 0}, "maxPods", 110),  # not a pointer in Go: zero is not set
        ({"registryPullQPS": 0}, "registryPullQPS", 0),  # a pointer
        ({"registryPullQPS": None}, "registryPullQPS", 5),
        ({"syncFrequency": "0s"}, "syncFrequency", 60_000_000_000),
        ({"cpuCFSQuotaPeriod": "0s"}, "cpuCFSQuotaPeriod", 0),
        ({"resolvConf": ""}, "resolvConf", ""),
        ({"clusterDomain": ""}, "clusterDomain", ""),
        ({"enforceNodeAllocatable": []}, "enforceNodeAllocatable", ()),
        ({"enforceNodeAllocatable": None}, "enforceNodeAllocatable", ("pods",)),
        ({"systemReserved": {"cpu": None, "pid": "1"}}, "systemReserved", {"cpu": "", "pid": "1"}),
        ({"podPidsLimit": -7}, "podPidsLimit", -1),
        ({"nodeStatusUpdateFrequency": "7s"}, "nodeStatusReportFrequency", 7_000_000_000),
        ({"nodeStatusUpdateFrequency": "0s"}, "nodeStatusReportFrequency", 300_000_000_000),
        ({"maxParallelImagePulls": 2}, "serializeImagePulls", False),
        ({"maxParallelImagePulls": 1}, "serializeImagePulls", True),
        ({"maxParallelImagePulls": 2, "serializeImagePulls": True}, "serializeImagePulls", True),
        ({"logging": {"flushFrequency": 3_000_000_000}}, "logging.flushFrequency", 3_000_000_000),
        ({"logging": {"flushFrequency": "3s"}}, "logging.flushFrequency", 3_000_000_000),
        (
            {"crashLoopBackOff": {"maxContainerRestartPeriod": "9s"}},
            "crashLoopBackOff.maxContainerRestartPeriod",
            9 * 10**9,
        ),
    ],
)
def test_what_counts_as_set(given: dict[str, Any], key: str, value: object) -> None:
    assert _complete(**given)[key] == value


def test_fields_behind_a_gate_that_is_off_have_no_default() -> None:
    values = complete(
        {}, gates.enabled({"KubeletCrashLoopBackOffMax": False, "KubeletEnsureSecretPulledImages": False})
    )
    assert values["crashLoopBackOff.maxContainerRestartPeriod"] is None
    assert values["imagePullCredentialsVerificationPolicy"] == ""


@pytest.mark.parametrize(
    ("given", "thresholds"),
    [
        ({}, EVICTION_HARD),
        ({"evictionHard": {}}, {}),
        ({"evictionHard": {"a": "1"}}, {"a": "1"}),
        (
            {"evictionHard": {"memory.available": "1"}, "mergeDefaultEvictionSettings": True},
            EVICTION_HARD | {"memory.available": "1"},
        ),
    ],
)
def test_hard_eviction_of_the_file(given: dict[str, Any], thresholds: dict[str, str]) -> None:
    assert with_file_eviction(_complete(**given))["evictionHard"] == thresholds


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"maxPods": "5"}, "maxPods: expected a whole number from -2147483648 to 2147483647, got '5'"),
        ({"maxPods": 2**31}, "maxPods: expected a whole number"),
        ({"maxPods": 1.5}, "maxPods: expected a whole number"),
        ({"maxPods": True}, "maxPods: expected a whole number"),
        ({"enableServer": "true"}, "enableServer: expected a boolean"),
        ({"clusterDomain": 5}, 'clusterDomain: expected a string, got 5; quote it: "5"'),
        ({"clusterDNS": "10.0.0.1"}, "clusterDNS: expected a list"),
        ({"clusterDNS": [1]}, "clusterDNS[0]: expected a string"),
        ({"evictionHard": {"memory.available": 5}}, "evictionHard[memory.available]: expected a string"),
        ({"evictionHard": []}, "evictionHard: expected a mapping"),
        ({"featureGates": {"A": "true"}}, "featureGates[A]: expected a boolean"),
        ({"syncFrequency": 5}, "syncFrequency: expected a duration such as 1m30s, got 5"),
        ({"syncFrequency": "5"}, "syncFrequency: '5' is not a duration"),
        ({"authentication": 5}, "authentication: expected a mapping of fields"),
        ({"registerWithTaints": ["a"]}, "registerWithTaints[0]: expected a mapping of fields"),
        ({"registerWithTaints": [{"key": 1}]}, "registerWithTaints[0].key: expected a string"),
        ({"reservedMemory": [{"limits": {"memory": "x"}}]}, "reservedMemory[0].limits[memory]: 'x' is not a quantity"),
        ({"logging": {"verbosity": -1}}, "logging.verbosity: expected a whole number from 0"),
        ({"memoryThrottlingFactor": "1"}, "memoryThrottlingFactor: expected a number"),
    ],
)
def test_faults_name_the_field_and_what_was_expected(given: dict[str, Any], fault: str) -> None:
    reading = Reading()
    decode(given, reading)
    assert len(reading.faults) == 1
    assert reading.faults[0].startswith(fault)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"maxPod": 5}, "maxPod: no such field, did you mean maxPods?"),
        ({"maxpods": 5}, "maxpods: no such field, did you mean maxPods?"),
        (
            {"authentication": {"x509": {"clientCaFile": ""}}},
            "authentication.x509.clientCaFile: no such field, did you mean clientCAFile?",
        ),
        ({"registerWithTaints": [{"efect": ""}]}, "registerWithTaints[0].efect: no such field, did you mean effect?"),
        ({"metadata": {}}, "metadata: no such field"),
    ],
)
def test_unknown_fields_are_named_with_the_nearest(given: dict[str, Any], complaint: str) -> None:
    reading = Reading()
    assert not set(decode(given, reading)) - {"registerWithTaints"}
    assert (reading.faults, reading.strict) == ([], [complaint])


def test_the_known_part_keeps_nulls_and_drops_what_is_unknown() -> None:
    content = {"maxPods": None, "nope": 1, "authentication": {"x509": None, "webhook": {"enabled": None, "nope": 1}}}
    assert known_part(content) == {"maxPods": None, "authentication": {"x509": None, "webhook": {"enabled": None}}}


def _raw(setting: Setting) -> st.SearchStrategy[Any]:
    """Values of a field as a file has them."""
    words = st.text("abc/.:", max_size=5)
    by_kind: dict[str, st.SearchStrategy[Any]] = {
        "text": words,
        "address": words,
        "boolean": st.booleans(),
        "duration": st.sampled_from(["0s", "1s", "1m30s", "2h", "15ms"]),
        "quantity": st.sampled_from(["0", "1Ki", 5]),
        "list": st.lists(words, max_size=3),
        "list of numbers": st.lists(st.integers(0, 9), max_size=3),
        "number": st.integers(0, 1000),
        "Gate=true|false,...": st.dictionaries(st.sampled_from(["KubeletPSI", "EventedPLEG"]), st.booleans()),
        "name:value,...": st.dictionaries(words, st.lists(words, max_size=2), max_size=2),
    }
    return by_kind.get(setting.kind.name, st.dictionaries(words, words, max_size=2))


PLAIN_FIELDS = [setting for setting in FIELDS if not setting.kind.members]
GIVEN = st.lists(st.sampled_from(PLAIN_FIELDS), max_size=8, unique_by=lambda setting: setting.key).flatmap(
    lambda settings: st.fixed_dictionaries({setting.key: _raw(setting) for setting in settings})
)


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in flat.items():
        *groups, leaf = key.split(".")
        place = document
        for group in groups:
            place = place.setdefault(group, {})
        place[leaf] = value
    return document


@given(GIVEN)
def test_what_is_written_is_read_back(flat: dict[str, Any]) -> None:
    """The step between --config and each drop-in; only empty lists and maps vanish, as they do in Go."""
    reading = Reading()
    values = complete(decode(_nested(flat), reading), ALL_GATES)
    again = decode(encode(values), reading)
    assert (reading.faults, reading.strict) == ([], [])
    shown = {setting.key for setting in FIELDS if setting.is_shown(values[setting.key])}
    assert again == {key: values[key] for key in shown}
    assert {BY_KEY[key].kind.zero for key in BY_KEY if key not in shown and values.get(key) in ((), {})} <= {None}
