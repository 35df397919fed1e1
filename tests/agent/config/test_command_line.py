"""Command lines in pflag's spelling."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.agent.config.command_line import apply, parse_command_line
from podwright.agent.config.settings import BY_FLAG
from podwright.errors import InvalidArgument

TEXT_FLAGS = sorted(name for name, flag in BY_FLAG.items() if flag.kind.name == "text")


def _read(*arguments: str, **before: Any) -> dict[str, Any]:
    return apply(before, parse_command_line(arguments))


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        (["--max-pods=5"], {"maxPods": 5}),
        (["--max-pods", "5"], {"maxPods": 5}),
        (["--max_pods", "0x10"], {"maxPods": 16}),
        (["--max-pods", "010"], {"maxPods": 8}),
        (["--max-pods=5", "--max-pods=6"], {"maxPods": 6}),
        (["--oom-score-adj", "-5"], {"oomScoreAdj": -5}),
        (["--fail-swap-on"], {"failSwapOn": True}),
        (["--fail-swap-on=false", "--register-node=T"], {"failSwapOn": False, "registerNode": True}),
        (["--embedded", "--root-dir", "--odd"], {"--embedded": True, "--root-dir": "--odd"}),
        (["--config="], {"--config": ""}),
        (["-v", "4"], {"logging.verbosity": 4}),
        (["-v4"], {"logging.verbosity": 4}),
        (["-v=4"], {"logging.verbosity": 4}),
        (["--v=4", "--"], {"logging.verbosity": 4}),
        (["--sync-frequency", "1m30s"], {"syncFrequency": 90_000_000_000}),
        (["--cluster-dns=10.0.0.1,10.0.0.2"], {"clusterDNS": ("10.0.0.1", "10.0.0.2")}),
        (["--cluster-dns=a", '--cluster-dns="b,c",d'], {"clusterDNS": ("a", "b,c", "d")}),
        (["--cluster-dns="], {"clusterDNS": ()}),
        (
            ["--feature-gates=A=true, B = false", "--feature-gates=C=1"],
            {"featureGates": {"A": True, "B": False, "C": True}},
        ),
        (
            ["--eviction-hard=memory.available<1Gi,nodefs.available<5%"],
            {"evictionHard": {"memory.available": "1Gi", "nodefs.available": "5%"}},
        ),
        (
            ["--system-reserved=cpu=1", "--system-reserved", "memory=1Gi,"],
            {"systemReserved": {"cpu": "1", "memory": "1Gi"}},
        ),
        (["--cpu-manager-policy-options=a=b,c=d"], {"cpuManagerPolicyOptions": {"a": "b,c=d"}}),
        (["--node-labels=a=b,c", "--node-labels=d=e"], {"--node-labels": {"a": "b", "c": "", "d": "e"}}),
        (
            ["--manifest-url-header=a:x,b:y", "--manifest-url-header=a:z"],
            {"staticPodURLHeader": {"a": ("x", "z"), "b": ("y",)}},
        ),
        (
            ["--register-with-taints=a=b:NoSchedule,c:NoExecute,d-"],
            {
                "registerWithTaints": (
                    {"key": "a", "effect": "NoSchedule", "value": "b"},
                    {"key": "c", "effect": "NoExecute"},
                )
            },
        ),
        (["--register-with-taints=a:NoExecute", "--register-with-taints="], {"registerWithTaints": None}),
        (
            ["--reserved-memory=0:memory=1Gi,hugepages-2Mi=2Gi;1:memory=3Gi"],
            {
                "reservedMemory": (
                    {"numaNode": 0, "limits": {"memory": "1Gi", "hugepages-2Mi": "2Gi"}},
                    {"numaNode": 1, "limits": {"memory": "3Gi"}},
                )
            },
        ),
        (
            ["--vmodule=a=1,b*=2"],
            {"logging.vmodule": ({"filePattern": "a", "verbosity": 1}, {"filePattern": "b*", "verbosity": 2})},
        ),
        (["--address=::1"], {"address": "::1"}),
        (["--log-text-info-buffer-size=2Ki"], {"logging.options.text.infoBufferSize": "2Ki"}),
    ],
)
def test_what_flags_mean(arguments: list[str], values: dict[str, Any]) -> None:
    assert _read(*arguments) == values


def test_the_first_list_or_map_replaces_that_of_a_file() -> None:
    read = _read(
        "--cluster-dns=b", "--cluster-dns=c", "--system-reserved=b=2", clusterDNS=("a",), systemReserved={"a": "1"}
    )
    assert read == {"clusterDNS": ("b", "c"), "systemReserved": {"b": "2"}}


def test_vmodule_and_an_empty_address_leave_what_a_file_says() -> None:
    file = {"logging.vmodule": ({"filePattern": "a", "verbosity": 1},), "address": "10.0.0.1"}
    read = _read("--vmodule=b=2", "--address=", **file)
    assert [entry["filePattern"] for entry in read["logging.vmodule"]] == ["a", "b"]
    assert read["address"] == "10.0.0.1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--maxpods=5"], "no flag --maxpods .did you mean --max-pods"),
        (["--zzzzzzzz"], "no flag --zzzzzzzz .see --help"),
        (["--=5"], "no flag --"),
        (["-config=x"], "no flag -config=x .did you mean --config"),
        (["-x"], "no flag -x"),
        (["serve"], "unexpected argument 'serve'"),
        (["--fail-swap-on", "false"], "unexpected argument 'false'"),
        (["--", "x"], "unexpected argument 'x'"),
        ([""], "unexpected argument ''"),
        (["--max-pods"], "--max-pods needs a value: number"),
        (["--max-pods=five"], "flag --max-pods: 'five' is not a whole number"),
        (["--max-pods=2147483648"], "flag --max-pods: 2147483648 is not from"),
        (["--max-pods=08"], "flag --max-pods: '08' is not a whole number"),
        (["--max-pods=" + "9" * 5000], "is not a whole number"),
        (["--fail-swap-on=yes"], "flag --fail-swap-on: 'yes' is not a boolean"),
        (["--sync-frequency=60"], "flag --sync-frequency: '60' is not a duration"),
        (["--feature-gates=A"], "flag --feature-gates: 'A' is not KEY=VALUE"),
        (["--feature-gates=A=maybe"], "'maybe' is not a boolean"),
        (["--eviction-hard=memory.available=1Gi"], "is not KEY<VALUE"),
        (["--cpu-manager-policy-options=a"], "is not KEY=VALUE"),
        (["--address=localhost"], "'localhost' is not an IP address"),
        (['--cluster-dns="a'], "is not a list"),
        (["--register-with-taints=a=b"], "has no effect"),
        (["--register-with-taints=a=b:Never"], "is not a taint"),
        (["--register-with-taints=a:NoExecute,a=b:NoExecute"], "a:NoExecute is given twice"),
        (["--reserved-memory=0:cpu=1"], "is not a reservation"),
        (["--reserved-memory=0:memory=x"], "'x' is not a quantity"),
        (["--vmodule=a"], "is not PATTERN=NUMBER"),
        (["--log-json-info-buffer-size=x"], "'x' is not a quantity"),
    ],
)
def test_what_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        _read(*arguments)
    assert re.search(message, str(refusal.value))


def test_all_that_is_refused_is_named_at_once() -> None:
    arguments = ["--port=x", "--maxpods", "5", "run", "--v=y", "--", "z", "--max-pods=7"]
    with pytest.raises(InvalidArgument) as caught:
        parse_command_line(arguments)
    assert str(caught.value) == (
        "[there is no flag --maxpods (did you mean --max-pods?), unexpected argument 'run' (flags only), "
        "unexpected argument 'z' (flags only), flag --port: 'x' is not a whole number, "
        "flag --v: 'y' is not a whole number]"
    )


@given(st.sampled_from(TEXT_FLAGS), st.text(max_size=20), st.booleans())
def test_any_text_survives_as_a_value(flag: str, text: str, joined: bool) -> None:
    arguments = [f"--{flag}={text}"] if joined else [f"--{flag}", text]
    assert _read(*arguments) == {BY_FLAG[flag].key: text}


@given(st.lists(st.text(max_size=12), max_size=4))
def test_any_command_line_is_read_or_refused(arguments: list[str]) -> None:
    with contextlib.suppress(InvalidArgument):
        _read(*arguments)


@given(st.sampled_from(sorted(BY_FLAG)), st.text(max_size=12))
def test_any_value_of_any_flag_is_taken_or_refused(flag: str, text: str) -> None:
    try:
        values = _read(f"--{flag}={text}")
    except InvalidArgument as refusal:
        message = refusal.message
    else:
        message = f"flag --{flag}: " if values.keys() == {BY_FLAG[flag].key} else "another setting was changed"
    assert message.startswith(f"flag --{flag}: ")
