"""Read-only mounts, recursively or not, mount options, and propagation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, RunPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, PodwrightError
from podwright.linux import libc, mount

NOT_RECURSIVE = pytest.mark.deviates("podwright-docker", "the Engine has no recursively read-only mounts")
RECENT = pytest.mark.deviates("containerd", "1.6 came before the field and ignores it")


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A shared tmpfs with another one on `below`."""
    top, below = tmp_path / "tree", tmp_path / "tree" / "below"
    top.mkdir()
    mount.mount_tmpfs(str(top), size_bytes=1 << 20, mode=0o777, flags=0)
    try:
        libc.mount("none", str(top), None, mount.MS_SHARED, None)
        below.mkdir()
        mount.mount_tmpfs(str(below), size_bytes=1 << 20, mode=0o777, flags=0)
        yield top
    finally:
        mount.unmount(str(below))
        mount.unmount(str(top))


def _mount(path: Path, **fields: object) -> api.Mount:
    return api.Mount(container_path="/m", host_path=str(path), **fields)  # type: ignore[arg-type] # keywords of a case


def _privileged() -> api.LinuxContainerConfig:
    context = api.LinuxContainerSecurityContext(
        privileged=True, namespace_options=api.NamespaceOption(pid=api.CONTAINER)
    )
    return api.LinuxContainerConfig(security_context=context)


TRY_BOTH = "touch /m/x 2>/dev/null && echo top; touch /m/below/x 2>/dev/null && echo below; echo end"


@pytest.mark.parametrize(
    ("fields", "writable"),
    [
        ({}, "top below"),
        ({"readonly": True}, "below"),
        pytest.param({"readonly": True, "recursive_read_only": True}, "", marks=[RECENT, NOT_RECURSIVE]),
    ],
    ids=["writable", "readonly", "recursive"],
)
async def test_what_can_be_written(pod: CasePod, tree: Path, fields: dict[str, object], writable: str) -> None:
    said = await pod.output("sh", "-c", TRY_BOTH, mounts=[_mount(tree, **fields)])
    assert said.split() == [*writable.split(), "end"]
    (tree / "below" / "still-writable-here").touch()


async def test_recursive_on_every_handler_that_says_so(cri_server: CriPeer, run_pod: RunPod, tree: Path) -> None:
    status = await cri_server.client.call(cri_server.client.runtime.Status, api.StatusRequest())
    able = [one.name for one in status.runtime_handlers if one.features.recursive_read_only_mounts]
    for handler in able:
        async with run_pod(runtime_handler=handler) as pod:
            mounts = [_mount(tree, readonly=True, recursive_read_only=True)]
            assert await pod.output("sh", "-c", TRY_BOTH, mounts=mounts) == "end\n", handler


@NOT_RECURSIVE
async def test_recursive_on_a_file(pod: CasePod, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    mounts = [_mount(tmp_path / "file", readonly=True, recursive_read_only=True)]
    said = await pod.output("sh", "-c", "cat /m; echo x 2>/dev/null > /m || echo ' refused'", mounts=mounts)
    assert said.endswith(" refused\n")
    assert (tmp_path / "file").read_text() == "text"


@pytest.mark.deviates("cri-o", "1.36 came before mount options")
@RECENT
@NOT_RECURSIVE
async def test_status_tells_what_was_asked_for(pod: CasePod, tree: Path) -> None:
    wanted = _mount(tree, readonly=True, recursive_read_only=True, mount_options=["noexec"])
    container = await pod.run_ready(mounts=[wanted])
    assert list((await pod.status(container)).mounts) == [wanted]


@pytest.mark.deviates("cri-o", "answers UNKNOWN, and takes some of it")
@RECENT
@pytest.mark.parametrize(
    "fields",
    [
        {"recursive_read_only": True},
        {"readonly": True, "recursive_read_only": True, "propagation": api.PROPAGATION_HOST_TO_CONTAINER},
        {"readonly": True, "recursive_read_only": True, "propagation": api.PROPAGATION_BIDIRECTIONAL},
        {"mount_options": ["suid"]},
        {"mount_options": ["noexec,remount"]},
        {"mount_options": [""]},
    ],
    ids=["writable", "rslave", "rshared", "suid", "two-in-one", "empty"],
)
async def test_refused(pod: CasePod, tree: Path, fields: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument):
        await pod.create(mounts=[_mount(tree, **fields)])


@pytest.mark.parametrize("options", [[], ["noexec"], ["nodev", "nosuid"], ["noexec", "nodev", "nosuid"]])
async def test_options(cri_server: CriPeer, pod: CasePod, tmp_path: Path, options: list[str]) -> None:
    status = await cri_server.client.call(cri_server.client.runtime.Status, api.StatusRequest())
    if options and not status.features.mount_options:
        pytest.skip("the runtime tells that it has no mount options")
    tmp_path.chmod(0o755)
    line = await pod.output("grep", " /m ", "/proc/mounts", mounts=[_mount(tmp_path, mount_options=options)])
    shown = set(line.split()[3].split(","))
    assert shown & {"noexec", "nodev", "nosuid"} == set(options)


@pytest.mark.deviates("podwright-docker", "the Engine takes no mount options")
async def test_noexec_is_meant(pod: CasePod, tmp_path: Path) -> None:
    script = "cp /bin/busybox /m/program; chmod 755 /m/program; /m/program true || echo refused"
    assert "refused" in await pod.output("sh", "-c", script, mounts=[_mount(tmp_path, mount_options=["noexec"])])


@pytest.mark.deviates("cri-o", "asks for every capability, whatever the host has")
@pytest.mark.parametrize(
    ("propagation", "host_seen", "container_seen"),
    [
        (api.PROPAGATION_PRIVATE, False, False),
        (api.PROPAGATION_HOST_TO_CONTAINER, True, False),
        (api.PROPAGATION_BIDIRECTIONAL, True, True),
    ],
    ids=["private", "to-container", "both"],
)
@pytest.mark.deviates("podwright-docker", "asks for every capability, whatever the host has")
async def test_propagation(
    run_pod: RunPod, tree: Path, propagation: api.MountPropagation, host_seen: bool, container_seen: bool
) -> None:
    for name in ("host", "container"):
        (tree / name).mkdir()
    async with run_pod(security=api.LinuxSandboxSecurityContext(privileged=True)) as pod:
        container = await pod.run_ready(mounts=[_mount(tree, propagation=propagation)], linux=_privileged())
        mount.mount_tmpfs(str(tree / "host"), size_bytes=1 << 20, mode=0o777)
        try:
            (tree / "host" / "seen").touch()
            assert ((await pod.exec(container, "ls", "/m/host/seen")).exit_code == 0) is host_seen
            made = await pod.exec(container, "sh", "-c", "mount -t tmpfs none /m/container && touch /m/container/seen")
            assert made.exit_code == 0
            assert (tree / "container" / "seen").exists() is container_seen
        finally:
            mount.unmount(str(tree / "host"))
            mount.unmount(str(tree / "container"))


@pytest.mark.parametrize("propagation", [api.PROPAGATION_HOST_TO_CONTAINER, api.PROPAGATION_BIDIRECTIONAL])
async def test_propagation_needs_a_shared_mount(pod: CasePod, tree: Path, propagation: api.MountPropagation) -> None:
    libc.mount("none", str(tree), None, mount.MS_PRIVATE, None)
    with pytest.raises(PodwrightError, match=r"shared|slave"):
        await pod.start(await pod.create(mounts=[_mount(tree, propagation=propagation)]))
