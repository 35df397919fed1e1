"""AppArmor: which profile, and that it is loaded. A kernel and a parser are stood in for: few hosts have them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition
from podwright.process import PosixProcessRunner
from podwright.runtime.model.base import ProfileType, SecurityProfile
from podwright.runtime.model.container import ContainerSecurity
from podwright.runtime.security import apparmor_profile
from podwright.runtime.security.apparmor import AppArmor

DEFAULT = SecurityProfile(kind=ProfileType.RUNTIME_DEFAULT)
UNCONFINED = SecurityProfile(kind=ProfileType.UNCONFINED)
LOCAL = SecurityProfile(kind=ProfileType.LOCALHOST, localhost_ref="localhost/mine")
LISTING = "mine (enforce)\n/usr/sbin/cupsd//third party (complain)\nunconfined-ish (unconfined)\n"
# Takes the profile from its input and lists it as loaded, as the kernel would.
PARSER = """#!/bin/sh
echo "$@" >> {calls}
sed -n 's/^profile \\([^ ]*\\) .*/\\1 (enforce)/p' >> {profiles}
"""


@pytest.mark.parametrize(
    ("wanted", "privileged", "on_host", "name"),
    [
        (None, False, True, "ours"),
        (DEFAULT, False, True, "ours"),
        (UNCONFINED, False, True, ""),
        (LOCAL, False, True, "mine"),
        (SecurityProfile(kind=ProfileType.LOCALHOST, localhost_ref="mine"), False, True, "mine"),
        (LOCAL, True, True, ""),
        (None, True, True, ""),
        (None, False, False, ""),
        (DEFAULT, False, False, ""),
        (UNCONFINED, False, False, ""),
        (LOCAL, True, False, ""),
    ],
)
def test_which(wanted: SecurityProfile | None, privileged: bool, on_host: bool, name: str) -> None:
    security = ContainerSecurity(apparmor=wanted, privileged=privileged)
    assert apparmor_profile.profile_name(security, default="ours", supported=on_host) == name


def test_a_local_profile_without_apparmor() -> None:
    with pytest.raises(FailedPrecondition, match="not supported on this host"):
        apparmor_profile.profile_name(ContainerSecurity(apparmor=LOCAL), default="ours", supported=False)


def test_listing() -> None:
    assert apparmor_profile.loaded_names(LISTING) == {"mine", "/usr/sbin/cupsd//third party", "unconfined-ish"}
    assert apparmor_profile.loaded_names("") == frozenset()


@pytest.fixture
def host(tmp_path: Path) -> AppArmor:
    profiles, parser = tmp_path / "profiles", tmp_path / "parser"
    profiles.write_text(LISTING)
    parser.write_text(PARSER.format(calls=tmp_path / "calls", profiles=profiles))
    parser.chmod(0o755)
    return AppArmor(PosixProcessRunner(), supported=True, default="ours", profiles=str(profiles), parser=str(parser))


async def test_ours_is_loaded_once_and_again_when_it_went(host: AppArmor, tmp_path: Path) -> None:
    names = await asyncio.gather(*(host.profile(ContainerSecurity()) for _ in range(3)))
    assert names == ["ours"] * 3
    assert await host.profile(ContainerSecurity(apparmor=DEFAULT)) == "ours"
    assert (tmp_path / "calls").read_text() == "--replace --skip-cache\n"
    (tmp_path / "profiles").write_text(LISTING)
    assert await host.profile(ContainerSecurity()) == "ours"
    assert (tmp_path / "calls").read_text().count("\n") == 2


async def test_others_must_be_there(host: AppArmor, tmp_path: Path) -> None:
    assert await host.profile(ContainerSecurity(apparmor=LOCAL)) == "mine"
    absent = SecurityProfile(kind=ProfileType.LOCALHOST, localhost_ref="absent")
    with pytest.raises(FailedPrecondition, match="'absent' is not loaded"):
        await host.profile(ContainerSecurity(apparmor=absent))
    assert not (tmp_path / "calls").exists()


async def test_a_parser_that_fails(host: AppArmor, tmp_path: Path) -> None:
    (tmp_path / "parser").write_text("#!/bin/sh\necho 'syntax error in line 1' >&2; exit 1\n")
    with pytest.raises(FailedPrecondition, match="syntax error in line 1"):
        await host.profile(ContainerSecurity())


async def test_securityfs_that_is_not_mounted(host: AppArmor, tmp_path: Path) -> None:
    (tmp_path / "profiles").unlink()
    with pytest.raises(FailedPrecondition, match="mount -t securityfs"):
        await host.profile(ContainerSecurity())


async def test_hosts_without_are_asked_nothing(tmp_path: Path) -> None:
    absent = AppArmor(PosixProcessRunner(), supported=False, default="ours", profiles=str(tmp_path / "none"))
    assert await absent.profile(ContainerSecurity(apparmor=DEFAULT)) == ""
    none = AppArmor(PosixProcessRunner(), supported=True, default="", profiles=str(tmp_path / "none"))
    assert await none.profile(ContainerSecurity()) == ""


def test_our_profile() -> None:
    text = apparmor_profile.default_profile("ours")
    assert text.startswith("profile ours flags=(")
    assert "peer=ours," in text
    assert "deny /proc/{kcore,kmem,mem,sysrq-trigger} rwklx," in text
    assert text.count("{") == text.count("}")
    rules = text.splitlines()[1:-1]
    assert all(not rule or rule.endswith(",") for rule in rules)
