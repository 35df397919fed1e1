"""Starting: roots, sockets and configurations that cannot be used end the daemon with one clear line and a code."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument
from tests.faults.faulty import HANDLER
from tests.faults.node import Node, eventually
from tests.fixtures import FreshPodwright
from tests.harness.podwright import Podwright

pytestmark = [pytest.mark.root]

QUIET = {"log_level": "warning"}


def refused(server: Podwright, *, code: int = 1) -> str:
    """Run the server's command line to its end: the only line that it says."""
    done = subprocess.run(server.argv(), check=False, capture_output=True, text=True, timeout=patient(60))
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def beside(fresh_podwright: FreshPodwright, first: Podwright, **same: bool) -> Podwright:
    """A second daemon, not started, that has the first one's root, state or socket."""
    second = fresh_podwright(QUIET, start=False)
    for name in same:
        setattr(second, name, getattr(first, name))
    return second


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A directory that not even root can write to."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_second_daemon_on_a_root(fresh_podwright: FreshPodwright) -> None:
    first = fresh_podwright()
    line = refused(beside(fresh_podwright, first, root=True))
    assert line == f"podwright: another podwright daemon uses {first.root} (stop it, or choose another --root)"
    assert first.answers()


def test_second_daemon_on_a_state(fresh_podwright: FreshPodwright) -> None:
    """It would take the first one's pods for leftovers."""
    first = fresh_podwright()
    line = refused(beside(fresh_podwright, first, state=True))
    assert line == f"podwright: another podwright daemon uses {first.state} (stop it, or choose another --state)"
    assert first.answers()


def test_second_daemon_on_a_socket(fresh_podwright: FreshPodwright) -> None:
    first = fresh_podwright()
    line = refused(beside(fresh_podwright, first, socket=True))
    assert line == f"podwright: another process listens on {first.socket} (stop it, or choose another --listen)"
    assert first.answers()


def test_a_socket_file_that_nobody_listens_on_is_replaced(fresh_podwright: FreshPodwright) -> None:
    server = fresh_podwright(start=False)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(server.socket))
    server.start()
    server.kill9()
    assert server.socket.exists()
    server.start()
    assert server.answers()
    server.stop()
    assert not server.socket.exists()
    server.start()


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_something_else_in_the_place_of_the_socket_stays(fresh_podwright: FreshPodwright, kind: str) -> None:
    server = fresh_podwright(QUIET, start=False)
    if kind == "file":
        server.socket.write_text("precious")
    else:
        server.socket.mkdir()
    line = refused(server)
    assert line == f"podwright: {server.socket} is not a socket (move it away, or choose another --listen)"
    assert server.socket.exists()


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("root", "cannot use {} as the daemon's root directory: {} (correct that, or choose another --root)"),
        ("state", "cannot use {} as the daemon's state directory: {} (correct that, or choose another --state)"),
        ("socket", "cannot make the folder of socket {}: {} (correct that, or choose another --listen)"),
    ],
)
def test_a_read_only_place(fresh_podwright: FreshPodwright, read_only: Path, place: str, complaint: str) -> None:
    server = fresh_podwright(QUIET, start=False)
    setattr(server, place, read_only / "deep" / "place")
    said = complaint.format(read_only / "deep" / "place", "Read-only file system")
    assert refused(server) == f"podwright: {said}"


@pytest.mark.parametrize("place", ["root", "state"])
def test_a_file_in_the_place_of_a_directory(fresh_podwright: FreshPodwright, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    server = fresh_podwright(QUIET, start=False)
    setattr(server, place, tmp_path / "file")
    said = f"cannot use {tmp_path / 'file'} as the daemon's {place} directory: File exists"
    assert refused(server) == f"podwright: {said} (correct that, or choose another --{place})"


def test_a_database_that_is_none(fresh_podwright: FreshPodwright) -> None:
    server = fresh_podwright(QUIET, start=False)
    server.root.mkdir()
    (server.root / "state.db").write_bytes(b"garbage" * 1000)
    line = refused(server)
    assert f"cannot read the state database {server.root}/state.db: file is not a database" in line
    assert "move it away" in line


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("rot = '/x'", "unknown key rot (did you mean root?)"),
        ("[network]\ncni_conf = '/x'", "unknown key network.cni_conf (did you mean network.cni_conf_dir?)"),
        ("[handlers.x]\npth = '/x'", "unknown key handlers.x.pth (did you mean handlers.x.path?)"),
        ("[zzz]", "unknown key zzz (known keys: checkpoint, containers, default_handler, "),
        ("root = 5", "Expected `str`, got `int` - at `$.root`"),
        ("log_level = 'loud'", "Invalid enum value 'loud' - at `$.log_level`"),
        ("root = 'relative'", "root must be an absolute path"),
        ("root = ", "Invalid value (at end of document)"),
        ("[network]\nsubnet = '10.0.0.0/33'", "[network] subnet: "),
        ("[network]\nbridge = 'much-too-long-for-a-link'", "[network] bridge: "),
        ("[containers]\nseccomp_profile = '/nowhere.json'", "seccomp profile /nowhere.json: "),
    ],
)
def test_configurations_that_are_wrong(fresh_podwright: FreshPodwright, text: str, complaint: str) -> None:
    server = fresh_podwright(start=False, config_text=f"log_level = 'warning'\n{text}" if "log" not in text else text)
    line = refused(server, code=2)
    assert line.startswith("podwright: ")
    assert complaint in line
    assert "Traceback" not in line


def test_a_configuration_that_does_not_exist(fresh_podwright: FreshPodwright) -> None:
    server = fresh_podwright(start=False)
    server.config.unlink()
    assert refused(server, code=2) == f"podwright: config {server.config} does not exist"


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:5000", "unix://relative", f"unix:///{'x' * 120}"])
def test_endpoints_that_cannot_be(fresh_podwright: FreshPodwright, endpoint: str) -> None:
    server = fresh_podwright(QUIET, start=False)
    argv = [*server.argv(), "--listen", endpoint]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=patient(60))
    assert done.returncode == 2
    assert done.stderr.startswith(f"podwright: endpoint {endpoint!r} is ")
    assert len(done.stderr.splitlines()) == 1


def test_files_are_for_their_owner(fresh_podwright: FreshPodwright) -> None:
    """Whatever umask the daemon is started with."""
    before = os.umask(0)
    try:
        server = fresh_podwright()
    finally:
        os.umask(before)
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o600
    for name in ("state.db", "state.db-wal", "state.db-shm", "root.lock"):
        assert stat.S_IMODE((server.root / name).stat().st_mode) == 0o600, name
    others_write = [
        path
        for top in (server.root, server.state)
        for path in (top, *top.rglob("*"))
        if not path.is_symlink() and path.stat().st_mode & 0o022
    ]
    assert others_write == []
    for listed in (server.root, server.state, server.root / "containers", server.state / "containers"):
        assert stat.S_IMODE(listed.stat().st_mode) & 0o044 == 0, listed
    server.stop()
    assert stat.S_IMODE((server.root / "state.db-spare").stat().st_mode) == 0o600
    server.start()


async def test_the_secrets_of_a_container_are_for_root_alone(node: Node) -> None:
    pod = await node.pod()
    container = await pod.run(envs=[api.KeyValue(key="TOKEN", value=b"hush-hush")])
    asked = asyncio.ensure_future(
        pod.exec(container, "sh", "-c", "touch /up; until test -e /seen; do sleep 0.05; done")
    )

    async def up() -> bool:
        return (await pod.exec(container, "test", "-e", "/up")).exit_code == 0

    await eventually(up, "the command runs")
    readable = []
    for top in (node.server.root, node.server.state / "containers", node.server.state / "runtimes"):
        for path in top.rglob("*"):
            if "rootfs" not in path.parts and path.is_file() and b"hush-hush" in path.read_bytes():
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or _is_shut_off(path), path
                readable.append(path.name)
    assert "config.json" in readable
    assert any(name.startswith("exec-") for name in readable)
    await pod.exec(container, "touch", "/seen")
    await asked
    assert (await pod.exec(container, "sh", "-c", "echo $TOKEN")).stdout == b"hush-hush\n"
    await node.emptied()


def _is_shut_off(path: Path) -> bool:
    """Whether a directory above lets nobody but its owner in."""
    return any(stat.S_IMODE(parent.stat().st_mode) & 0o011 == 0 for parent in path.parents[:-2])


async def test_a_handler_that_is_configured_no_more(faulty_node: Node) -> None:
    """What it ran goes on, and can be taken down."""
    pod = await faulty_node.pod(handler=HANDLER, namespaces=api.NamespaceOption(pid=api.POD))
    container = await pod.run()
    created = await pod.create(name="created")
    faulty_node.server.kill9()
    text = faulty_node.server.config.read_text()
    faulty_node.server.config.write_text(text.replace(f'"{HANDLER}"', '"other"'))
    await faulty_node.again()
    assert (await faulty_node.status(pod)).state == api.SANDBOX_READY
    assert (await pod.status(container)).state == api.CONTAINER_RUNNING
    with pytest.raises(InvalidArgument, match="handler 'faulty' is not configured"):
        await pod.start(created)
    await faulty_node.emptied()
