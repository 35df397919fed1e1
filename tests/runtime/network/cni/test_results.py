"""What plugins answer, in every version of the spec and in none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.runtime.network.cni import results

INTERFACES = [
    {"name": "cni0", "mac": "00:11:22:33:44:55"},
    {"name": "veth1"},
    {"name": "eth0", "sandbox": "/run/netns/x"},
    {"name": "net1", "sandbox": "/run/netns/x"},
]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(
            {"ip4": {"ip": "10.1.0.5/16"}, "ip6": {"ip": "fd00::5/64"}}, ("10.1.0.5/16", "fd00::5/64"), id="0.2"
        ),
        pytest.param({"ip6": {"ip": "fd00::5/64"}}, ("fd00::5/64",), id="0.2, IPv6 only"),
        pytest.param(
            {"interfaces": INTERFACES, "ips": [{"version": "4", "address": "10.1.0.5/16", "interface": 2}]},
            ("10.1.0.5/16",),
            id="0.4",
        ),
        pytest.param({"ips": [{"address": "10.1.0.5/16"}]}, ("10.1.0.5/16",), id="an address without interface"),
        pytest.param(
            {
                "interfaces": INTERFACES,
                "ips": [{"address": f"10.1.0.{number}/16", "interface": number} for number in range(4)],
            },
            ("10.1.0.2/16",),
            id="addresses of the bridge and of other interfaces",
        ),
        pytest.param(
            {
                "ips": [
                    {"address": "fd00::5/64"},
                    {"address": "10.1.0.6/16"},
                    {"address": "10.1.0.5/16"},
                    {"address": "fd00::5/64"},
                ]
            },
            ("10.1.0.6/16", "10.1.0.5/16", "fd00::5/64"),
            id="IPv4 first, otherwise in order, once each",
        ),
        pytest.param({}, (), id="nothing"),
        pytest.param({"ips": None, "interfaces": None}, (), id="nulls"),
    ],
)
def test_pod_addresses(result: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert results.pod_addresses(result, "eth0") == expected


@pytest.mark.parametrize(
    "result",
    [
        {"ips": {"address": "10.0.0.1/8"}},
        {"ips": [1]},
        {"ips": [{}]},
        {"ips": [{"address": "nonsense"}]},
        {"ips": [{"address": "10.0.0.1/8", "interface": 4}], "interfaces": INTERFACES},
        {"ips": [{"address": "10.0.0.1/8", "interface": -1}], "interfaces": INTERFACES},
        {"ips": [{"address": "10.0.0.1/8", "interface": "eth0"}], "interfaces": INTERFACES},
        {"ips": [{"address": "10.0.0.1/8", "interface": 0}], "interfaces": ["eth0"]},
        {"interfaces": {"0": {}}},
        {"ip4": {}},
        {"ip4": "10.0.0.1/8"},
    ],
)
def test_results_that_break_the_spec(result: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        results.pod_addresses(result, "eth0")


@given(
    st.dictionaries(
        st.sampled_from(("ips", "interfaces", "ip4", "ip6")),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.sampled_from(("address", "interface", "ip", "name")), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_any_result_has_addresses_or_breaks_the_spec(result: dict[str, Any]) -> None:
    try:
        results.pod_addresses(result, "eth0")
    except ValueError:
        return


@pytest.mark.parametrize(
    ("stdout", "stderr", "code", "expected"),
    [
        pytest.param(
            b'{"cniVersion": "1.0.0", "code": 7, "msg": "bad subnet", "details": "line 3"}',
            b"",
            1,
            "plugin x: bad subnet: line 3 (CNI error 7)",
            id="in CNI's words",
        ),
        pytest.param(
            b'{"code": 11, "msg": "later"}', b"noise", 1, "plugin x: later (CNI error 11)", id="without details"
        ),
        pytest.param(b"", b"panic: oh", 2, "plugin x: ended with 2: panic: oh", id="a crash"),
        pytest.param(b"", b"", -9, "plugin x: was killed by signal 9", id="killed"),
        pytest.param(b"usage: ...", b"", 1, "plugin x: ended with 1: usage: ...", id="text on stdout"),
        pytest.param(b'{"code": "7", "msg": "m", "details": 3}', b"", 1, "plugin x: m", id="fields of wrong kinds"),
        pytest.param(b'{"code": true, "msg": "m"}', b"", 1, "plugin x: m", id="a code that is none"),
    ],
)
def test_failures(stdout: bytes, stderr: bytes, code: int, expected: str) -> None:
    assert str(results.parse_failure("x", code, stdout, stderr)) == expected


@given(st.binary(max_size=60), st.binary(max_size=20), st.integers(-64, 255))
def test_any_output_is_a_failure(stdout: bytes, stderr: bytes, code: int) -> None:
    assert results.parse_failure("x", code, stdout, stderr).message


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (json.dumps({"supportedVersions": ["0.4.0", "1.0.0", 3]}).encode(), {"0.4.0", "1.0.0"}),
        (b'{"supportedVersions": []}', None),
        (b'{"supportedVersions": "1.0.0"}', None),
        (b"{}", None),
        (b"", None),
        (b"not JSON", None),
    ],
)
def test_supported_versions(output: bytes, expected: set[str] | None) -> None:
    assert results.supported_versions(output) == expected


@pytest.mark.parametrize("output", [b"[]", b"3", b"{", b"\xff", b"[" * 100_000])
def test_results_that_are_none(output: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        results.parse_result(output)
