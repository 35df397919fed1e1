"""AppArmor profiles, on hosts that have AppArmor and on those that have not."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.conformance.messages import profile, secured
from podwright.conformance.patience import patient
from podwright.conformance.pods import CasePod, RunPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError

DEFAULT = api.SecurityProfile.RuntimeDefault
UNCONFINED = api.SecurityProfile.Unconfined
LOCALHOST = api.SecurityProfile.Localhost
HAS_APPARMOR = Path("/sys/kernel/security/apparmor").exists()
PARSER_TIMEOUT_S = patient(60.0)
# apparmor.d(5). Nothing may be written at /forbidden, by whomever.
PROFILE = """\
profile {name} flags=(attach_disconnected, mediate_deleted) {{
  capability,
  file,
  network,
  signal,
  deny /forbidden wl,
}}
"""
ATTRIBUTE = ("cat", "/proc/self/attr/current")

without_apparmor = pytest.mark.skipif(HAS_APPARMOR, reason="this host has AppArmor")
with_apparmor = pytest.mark.skipif(not HAS_APPARMOR, reason="this host has no AppArmor")


def _parse(option: str, text: str) -> None:
    command = ["apparmor_parser", option, "--skip-cache"]
    subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=PARSER_TIMEOUT_S)


@pytest.fixture
def own_profile() -> Iterator[str]:
    """A profile in the kernel, gone afterwards."""
    name = f"podwright-case-{uuid.uuid4().hex[:8]}"
    text = PROFILE.format(name=name)
    _parse("--replace", text)
    yield name
    _parse("--remove", text)


@with_apparmor
@pytest.mark.parametrize(
    "fields",
    [{}, {"apparmor": profile(DEFAULT)}, {"apparmor_profile": "runtime/default"}],
    ids=["nil", "default", "old-default"],
)
async def test_confined_by_default(pod: CasePod, fields: dict[str, object]) -> None:
    attribute = await pod.output(*ATTRIBUTE, linux=secured(**fields))
    assert attribute.strip().endswith(" (enforce)")


@with_apparmor
@pytest.mark.parametrize(
    "fields",
    [{"apparmor": profile(UNCONFINED)}, {"apparmor_profile": "unconfined"}],
    ids=["new", "old"],
)
async def test_unconfined(pod: CasePod, fields: dict[str, object]) -> None:
    assert (await pod.output(*ATTRIBUTE, linux=secured(**fields))).strip() == "unconfined"


@with_apparmor
async def test_privileged_is_unconfined(run_pod: RunPod) -> None:
    async with run_pod(security=api.LinuxSandboxSecurityContext(privileged=True)) as pod:
        assert (await pod.output(*ATTRIBUTE, linux=secured(privileged=True))).strip() == "unconfined"


@with_apparmor
@pytest.mark.parametrize("is_old", [False, True], ids=["new", "old"])
async def test_a_profile_of_the_host(pod: CasePod, own_profile: str, is_old: bool) -> None:
    """It confines the container's first process and its commands."""
    ref = f"localhost/{own_profile}"
    fields = {"apparmor_profile": ref} if is_old else {"apparmor": profile(LOCALHOST, own_profile)}
    container_id = await pod.run_ready(linux=secured(**fields))
    script = "cat /proc/1/attr/current /proc/self/attr/current; touch /allowed /forbidden 2>&1; ls /allowed /forbidden"
    answer = await pod.exec(container_id, "sh", "-c", script)
    lines = answer.stdout.decode().splitlines()
    assert lines[:2] == [f"{own_profile} (enforce)"] * 2
    assert lines[2:] == ["touch: /forbidden: Permission denied", "/allowed"]


@with_apparmor
@pytest.mark.parametrize(
    "fields",
    [{"apparmor": profile(LOCALHOST, "podwright-none")}, {"apparmor_profile": "localhost/podwright-none"}],
    ids=["new", "old"],
)
async def test_a_profile_that_is_not_loaded(pod: CasePod, fields: dict[str, object]) -> None:
    with pytest.raises(PodwrightError, match=r"(?i)apparmor"):
        await pod.run(linux=secured(**fields))


@without_apparmor
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"apparmor": profile(UNCONFINED)},
        {"apparmor_profile": "unconfined"},
        pytest.param({"apparmor": profile(DEFAULT)}, marks=pytest.mark.deviates("containerd", "an error there")),
        pytest.param({"apparmor_profile": "runtime/default"}, marks=pytest.mark.deviates("containerd", "as above")),
    ],
    ids=["nil", "unconfined", "old-unconfined", "default", "old-default"],
)
async def test_apparmor_where_there_is_none(pod: CasePod, fields: dict[str, object]) -> None:
    assert await pod.output("echo", "runs", linux=secured(**fields)) == "runs\n"


@without_apparmor
@pytest.mark.deviates("cri-o", "goes without on a host that has no AppArmor")
@pytest.mark.parametrize(
    "fields",
    [{"apparmor": profile(LOCALHOST, "localhost/mine")}, {"apparmor_profile": "localhost/mine"}],
    ids=["new", "old"],
)
async def test_a_profile_that_cannot_be_honoured(pod: CasePod, fields: dict[str, object]) -> None:
    with pytest.raises(PodwrightError, match=r"(?i)apparmor"):
        await pod.create(linux=secured(**fields))
