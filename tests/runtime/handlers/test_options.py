"""The options of one handler, beside another: what the runtime below it gets of pods, and where it keeps its state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podwright.conformance.pods import running_pod
from podwright.cri.v1 import api_pb2 as api
from tests.fixtures import FreshPodwright

pytestmark = pytest.mark.root

CPUS = "io.katacontainers.config.hypervisor.default_vcpus"
GIVEN = {CPUS: "2", "elsewhere.example/secret": "x"}
SHARED_PID = api.NamespaceOption(pid=api.POD)
DEFAULT_SECCOMP = api.LinuxContainerConfig(
    security_context=api.LinuxContainerSecurityContext(
        namespace_options=api.NamespaceOption(pid=api.CONTAINER),
        seccomp=api.SecurityProfile(profile_type=api.SecurityProfile.RuntimeDefault),
    )
)
NO_MKDIR = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}],
}


@pytest.mark.parametrize("kind", ["oci", "shim"])
async def test_allowed_annotations_are_passed_on(
    fresh_podwright: FreshPodwright, busybox_image: str, kind: str
) -> None:
    server = fresh_podwright({"handlers": {"runc": {"type": kind, "allowed_annotations": ["io.katacontainers.*"]}}})
    async with (
        server.client() as client,
        running_pod(server.peer(client), busybox_image, annotations=GIVEN, namespaces=SHARED_PID) as pod,
    ):
        container = await pod.create(annotations={f"{key}.own": value for key, value in GIVEN.items()})
        await pod.start(container)
        sandbox = passed_on(server.state / "sandboxes" / pod.id)
        own = passed_on(server.state / "containers" / container)
    assert {key for key in sandbox if key.startswith(tuple(GIVEN))} == {CPUS}
    assert {key for key in own if key.startswith(tuple(GIVEN))} == {CPUS, f"{CPUS}.own"}


def passed_on(folder: Path) -> dict[str, str]:
    """Those of the OCI spec in this folder, or in one below."""
    (file,) = folder.rglob("config.json")
    found: dict[str, str] = json.loads(file.read_text())["annotations"]
    return found


async def test_a_default_profile_and_a_root_of_its_own(
    fresh_podwright: FreshPodwright, busybox_image: str, tmp_path: Path
) -> None:
    profile = tmp_path / "no-mkdir.json"
    profile.write_text(json.dumps(NO_MKDIR))
    root = tmp_path / "runtimes"
    strict = {"path": "runc", "seccomp_profile": str(profile), "root": str(root), "arguments": ["--debug"]}
    server = fresh_podwright({"default_handler": "crun", "handlers": {"crun": {}, "strict": strict}})
    async with server.client() as client:
        for handler, code in (("crun", 0), ("strict", 1)):
            async with running_pod(server.peer(client), busybox_image, runtime_handler=handler) as pod:
                container = await pod.create(linux=DEFAULT_SECCOMP)
                await pod.start(container)
                answer = await pod.exec(container, "mkdir", "/tmp/made")
                assert (answer.exit_code, bool(answer.stderr)) == (code, bool(code))
                assert (root / "strict" / container).is_dir() == (handler == "strict")
        assert not list((root / "strict").glob("*"))
