"""A seccomp profile is compiled once; what is used again confines as the first did."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from podwright.conformance.pods import running_pod
from podwright.cri.v1 import api_pb2 as api
from podwright.runtime.handlers.oci import filters
from podwright.runtime.handlers.oci.filters import ANNOTATION, CompiledFilters
from tests.harness.podwright import Podwright

PROFILE = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}
OTHER = {"defaultAction": "SCMP_ACT_ALLOW"}
COMPILED = b"\x01\x02" * 8


def _spec(profile: dict[str, Any] | None) -> dict[str, Any]:
    return {"annotations": {"whose": "pod"}, "linux": {"seccomp": profile} if profile else {}}


def _learn(known: CompiledFilters, tmp_path: Path, spec: dict[str, Any], compiled: bytes = COMPILED) -> None:
    (tmp_path / "config.json").write_text(json.dumps(spec, separators=(",", ":")))
    (tmp_path / "seccomp.bpf").write_bytes(compiled)
    known.learn(str(tmp_path / "config.json"), str(tmp_path / "seccomp.bpf"))


def _annotated(known: CompiledFilters, spec: dict[str, Any]) -> dict[str, str]:
    known.annotate(spec)
    annotations: dict[str, str] = spec["annotations"]
    return annotations


def test_what_was_compiled_for_a_profile_is_used_for_it_alone(tmp_path: Path) -> None:
    known = CompiledFilters()
    assert ANNOTATION not in _annotated(known, _spec(PROFILE))
    _learn(known, tmp_path, _spec(PROFILE))
    assert _annotated(known, _spec(PROFILE)) == {"whose": "pod", ANNOTATION: base64.b64encode(COMPILED).decode()}
    for other in (OTHER, {**PROFILE, "flags": ["SECCOMP_FILTER_FLAG_LOG"]}, None):
        assert _annotated(known, _spec(other)) == {"whose": "pod"}


@pytest.mark.parametrize(
    ("spec", "compiled"),
    [
        (_spec(None), COMPILED),
        (_spec(PROFILE), b""),
        ({**_spec(PROFILE), "annotations": {ANNOTATION: "AAAA"}}, COMPILED),
        ({"linux": []}, COMPILED),
    ],
    ids=["no profile", "no filter", "it was given one", "no spec"],
)
def test_nothing_is_learnt(tmp_path: Path, spec: dict[str, Any], compiled: bytes) -> None:
    known = CompiledFilters()
    _learn(known, tmp_path, spec, compiled)
    known.learn(str(tmp_path / "none"), str(tmp_path / "none"))
    assert ANNOTATION not in _annotated(known, _spec(PROFILE))


def test_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "KEPT", 2)
    known = CompiledFilters()
    profiles = [{"defaultAction": action} for action in ("a", "b", "c")]
    for profile in profiles:
        _learn(known, tmp_path, _spec(profile))
        known.annotate(_spec(profiles[0]))  # used, so it is not the oldest
    assert [ANNOTATION in _annotated(known, _spec(profile)) for profile in profiles] == [True, False, True]


@pytest.mark.root
@pytest.mark.parametrize("localhost", [False, True])
async def test_the_second_container_is_confined_as_the_first(
    podwright_server: Podwright, busybox_image: str, tmp_path: Path, localhost: bool
) -> None:
    profile = api.SecurityProfile(profile_type=api.SecurityProfile.RuntimeDefault)
    if localhost:
        (tmp_path / "profile.json").write_text(json.dumps(PROFILE))
        path = str(tmp_path / "profile.json")
        profile = api.SecurityProfile(profile_type=api.SecurityProfile.Localhost, localhost_ref=path)
    linux = api.LinuxContainerConfig(security_context=api.LinuxContainerSecurityContext(seccomp=profile))
    look = "grep Seccomp: /proc/self/status; mkdir /tmp/made-$0 2>&1"
    said, compiled = [], []
    async with podwright_server.client() as cri, running_pod(podwright_server.peer(cri), busybox_image) as pod:
        for _ in range(2):
            container = await pod.run_ready(("sh", "-c", f"{look}; echo ready; exec sleep 1000", "start"), linux=linux)
            said.append([line.split(" ", 3)[-1] for line in pod.log(container).splitlines()])
            said.append((await pod.exec(container, "sh", "-c", look, "exec")).stdout.decode().splitlines())
            (file,) = podwright_server.directory.rglob(f"{container}/seccomp.bpf")
            compiled.append(file.read_bytes())
        request = api.ContainerStatusRequest(container_id=container, verbose=True)
        status = await cri.call(cri.runtime.ContainerStatus, request)
    assert ANNOTATION in json.loads(status.info["info"])["runtimeSpec"]["annotations"]
    assert compiled[0] == compiled[1]
    refusal = ["mkdir: can't create directory '/tmp/made-{}': Operation not permitted"] if localhost else []
    expected = ["Seccomp:\t2", *refusal]
    on_start, on_exec = ([line.format(when) for line in expected] for when in ("start", "exec"))
    assert said == [[*on_start, "ready"], on_exec, [*on_start, "ready"], on_exec]
