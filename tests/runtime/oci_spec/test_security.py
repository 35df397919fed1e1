"""Capabilities, seccomp profiles and stop signals as tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from podwright.errors import InvalidArgument
from podwright.linux import capabilities as kernel
from podwright.runtime.model.container import ContainerSecurity
from podwright.runtime.oci_spec import capabilities, seccomp, signals

EVERYTHING = frozenset(kernel.NAMES)


@pytest.mark.parametrize(
    ("security", "granted"),
    [
        ({}, set(capabilities.DEFAULT)),
        ({"drop_capabilities": ("ALL",)}, set()),
        ({"drop_capabilities": ("ALL",), "add_capabilities": ("NET_ADMIN",)}, {"CAP_NET_ADMIN"}),
        ({"drop_capabilities": ("all",), "add_capabilities": ("cap_net_admin",)}, {"CAP_NET_ADMIN"}),
        ({"add_capabilities": ("ALL",), "drop_capabilities": ("SYS_ADMIN",)}, EVERYTHING - {"CAP_SYS_ADMIN"}),
        ({"add_capabilities": ("SYS_TIME",)}, {*capabilities.DEFAULT, "CAP_SYS_TIME"}),
        ({"drop_capabilities": ("NET_RAW",)}, {*capabilities.DEFAULT} - {"CAP_NET_RAW"}),
        ({"privileged": True, "drop_capabilities": ("ALL",)}, EVERYTHING),
    ],
)
def test_granted(security: dict[str, Any], granted: set[str]) -> None:
    names = capabilities.granted(ContainerSecurity(**security), EVERYTHING)
    assert set(names) == granted
    assert names == sorted(names, key=kernel.NAMES.index)


def test_nothing_is_granted_that_the_daemon_lacks() -> None:
    held = EVERYTHING - {"CAP_SYS_RESOURCE"}
    assert "CAP_SYS_RESOURCE" not in capabilities.granted(ContainerSecurity(privileged=True), held)
    assert capabilities.granted(ContainerSecurity(add_capabilities=("SYS_RESOURCE",)), frozenset()) == []


def test_inheritable_is_empty_unless_ambient_is_asked_for() -> None:
    sets = capabilities.process_sets(ContainerSecurity(), EVERYTHING)
    assert sets["inheritable"] == sets["ambient"] == []
    assert sets["bounding"] == sets["effective"] == sets["permitted"]
    asked = ContainerSecurity(add_capabilities=("NET_ADMIN",), add_ambient_capabilities=("NET_ADMIN", "SYS_TIME"))
    assert capabilities.process_sets(asked, EVERYTHING)["ambient"] == ["CAP_NET_ADMIN"]


def test_unknown_capability() -> None:
    with pytest.raises(InvalidArgument, match="CAP_FLY"):
        capabilities.granted(ContainerSecurity(add_capabilities=("FLY",)), EVERYTHING)


PROFILE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 38,
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
    "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [], "includes": {}, "excludes": {}},
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["arm"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
        {"names": ["new"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["newer"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "99.0"}},
        {"names": ["s390"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}},
    ],
}


@pytest.mark.parametrize(
    ("granted", "names"),
    [((), ["read", "clone", "new"]), (("CAP_SYS_ADMIN",), ["read", "mount", "new"])],
)
def test_seccomp_rules_follow_capabilities_and_kernel(granted: tuple[str, ...], names: list[str]) -> None:
    oci = seccomp.oci_seccomp(PROFILE, machine="x86_64", capabilities=granted, kernel="6.1.0-13-amd64")
    assert [rule["names"][0] for rule in oci["syscalls"]] == names
    assert oci["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    assert oci["defaultErrnoRet"] == 38


def test_seccomp_takes_a_plain_oci_profile() -> None:
    plain = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "kill", "action": "SCMP_ACT_ERRNO"}]}
    oci = seccomp.oci_seccomp(plain, machine="x86_64", capabilities=(), kernel="6.1")
    assert oci["syscalls"] == [{"names": ["kill"], "action": "SCMP_ACT_ERRNO"}]


@pytest.mark.parametrize(
    "broken",
    [{}, {"defaultAction": "X", "syscalls": [{}]}, {"defaultAction": "X", "syscalls": "no"}, {"syscalls": [None]}],
)
def test_seccomp_malformed(broken: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="malformed"):
        seccomp.oci_seccomp(broken, machine="x86_64", capabilities=(), kernel="6.1")


def test_the_distributions_profile_is_understood() -> None:
    path = Path("/usr/share/containers/seccomp.json")
    oci = seccomp.oci_seccomp(
        json.loads(path.read_text()), machine="x86_64", capabilities=capabilities.DEFAULT, kernel="6.1"
    )
    allowed = {name for rule in oci["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert {"read", "execve", "clone3", "chroot"} <= allowed | {"clone3"}
    assert "kexec_load" not in allowed


@pytest.mark.parametrize(
    ("text", "number"),
    [("SIGTERM", 15), ("term", 15), ("9", 9), ("SIGRTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("SIGCLD", 17)],
)
def test_signal_names(text: str, number: int) -> None:
    assert signals.number_of(text) == number


@pytest.mark.parametrize("text", ["", "SIGNOPE", "0", "65", "SIGRTMIN+99", "SIGRTMIN+x", "-1"])
def test_signal_names_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        signals.number_of(text)


def test_cri_signals_follow_the_enum() -> None:
    assert len(signals.CRI_NAMES) == 66
    assert signals.CRI_NAMES[23] == "SIGTERM"
    assert signals.CRI_NAMES[38] == "SIGRTMIN+3"
    assert signals.CRI_NAMES[51] == "SIGRTMAX-14"
    assert signals.CRI_NAMES[65] == "SIGRTMAX"
    assert signals.stop_signal(0, "") == 15
    assert signals.stop_signal(0, "SIGQUIT") == 3
    assert signals.stop_signal(10, "SIGQUIT") == 2
    assert signals.cri_number_of(15) == 23
    with pytest.raises(InvalidArgument):
        signals.stop_signal(66, "")
