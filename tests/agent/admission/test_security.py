"""Kernel parameters and AppArmor profiles that a node refuses."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.agent.admission.apparmor import AppArmorCheck
from podwright.agent.admission.sysctls import SysctlCheck
from podwright.errors import InvalidArgument
from podwright.k8s.objects import AppArmorProfile, Pod, PodSecurityContext, Sysctl
from tests.agent.fakes.pods import pod


def setting(name: str, **spec: Any) -> Pod:
    return pod(security_context=PodSecurityContext(sysctls=(Sysctl(name=name, value="1"),)), **spec)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (setting("net.ipv4.tcp_syncookies"), ""),
        (setting("net/ipv4/tcp_syncookies"), ""),
        (setting("kernel.shm_rmid_forced"), ""),
        (
            setting("kernel.shm_rmid_forced", host_ipc=True),
            '"kernel.shm_rmid_forced" not allowed with host IPC enabled',
        ),
        (
            setting("net.ipv4.tcp_rmem", host_network=True),
            '"net.ipv4.tcp_rmem" not allowed with host Net enabled',
        ),
        (setting("net.core.somaxconn"), ""),
        (setting("net.core.somaxconn", host_network=True), '"net.core.somaxconn" not allowed with host Net enabled'),
        (setting("kernel.msgmax"), ""),
        (setting("kernel.sem"), '"kernel.sem" not allowlisted'),
        (setting("vm.swappiness"), '"vm.swappiness" not allowlisted'),
    ],
    ids=lambda value: value if isinstance(value, str) else value.spec.security_context.sysctls[0].name,
)
def test_sysctls(asked: Pod, message: str) -> None:
    refusal = SysctlCheck(["net.core.*", "kernel.msgmax"])(asked, ())
    assert (refusal.message if refusal else "") == (f"forbidden sysctl: {message}" if message else "")
    assert refusal is None or refusal.reason == "SysctlForbidden"


def test_a_parameter_of_the_host_cannot_be_allowed() -> None:
    with pytest.raises(InvalidArgument, match=r"vm\.swappiness"):
        SysctlCheck(["vm.swappiness"])


def profiled(kind: str, name: str | None = None, phase: str = "Pending") -> Pod:
    profile = AppArmorProfile(type=kind, localhost_profile=name)
    return pod(phase=phase, security_context=PodSecurityContext(app_armor_profile=profile))


@pytest.mark.parametrize(
    ("asked", "has_apparmor", "is_refused"),
    [
        (pod(), False, False),
        (profiled("Unconfined"), False, False),
        (profiled("RuntimeDefault"), False, True),
        (profiled("RuntimeDefault"), True, False),
        (profiled("RuntimeDefault", phase="Running"), False, False),
        (profiled("Localhost", "mine"), True, False),
        (profiled("Localhost", " "), True, True),
    ],
)
def test_apparmor(asked: Pod, has_apparmor: bool, is_refused: bool) -> None:
    refusal = AppArmorCheck(has_apparmor=has_apparmor)(asked, ())
    assert (refusal is not None) is is_refused
    assert refusal is None or refusal.reason == "AppArmor"
