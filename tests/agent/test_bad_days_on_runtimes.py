"""`podwright agent` on a bad day: a full disk, a second agent, manifests that are traps. Pods run on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.conformance.patience import patient
from tests.agent.test_on_runtimes import FOREVER, PLAIN, container_id, is_ready, manifest, node_name, status
from tests.harness.agent import AgentProcess
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch

pytestmark = [pytest.mark.root, pytest.mark.slow]

DISK_BYTES = 256 * 1024
MEMORY_LIMIT_KIB = 150 * 1024  # of an agent that has met manifests of 10 MiB


@pytest.fixture
def agent(podwright_server: Podwright, scratch: Scratch) -> Iterator[AgentProcess]:
    with AgentProcess(scratch.part("agent"), podwright_server.endpoint) as process:
        yield process


@pytest.fixture
def disk(podwright_server: Podwright, scratch: Scratch) -> Iterator[AgentProcess]:
    """An agent whose root is a small file system of its own."""
    process = AgentProcess(scratch.part("agent"), podwright_server.endpoint)
    process.root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(process.root)]
    subprocess.run(mount, check=True)
    try:
        with process:
            yield process
    finally:
        if os.path.ismount(process.root):  # undoing the agent's own mount has taken it away else
            subprocess.run(["umount", str(process.root)], check=True)


def start_web(agent: AgentProcess, image: str) -> str:
    """A pod that must run on; its container's id."""
    name = f"web-{node_name()}"
    agent.write("web.yaml", manifest("web", PLAIN, image=image, script=FOREVER))
    agent.until(lambda: is_ready(agent, name), "the pod is ready")
    return container_id(agent, name)


def web_is(agent: AgentProcess, identifier: str) -> bool:
    name = f"web-{node_name()}"
    return is_ready(agent, name) and container_id(agent, name) == identifier


def test_a_full_disk(disk: AgentProcess, busybox_image: str) -> None:
    first = start_web(disk, busybox_image)
    filler = disk.root / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    other = f"other-{node_name()}"
    disk.write("other.yaml", manifest("other", PLAIN, image=busybox_image, script=FOREVER))
    disk.until(lambda: "No space left" in disk.log.read_text(), "the log says what is wrong")
    disk.kill9()
    disk.start()
    disk.until(lambda: web_is(disk, first), "the first pod runs on")
    filler.unlink()
    disk.until(lambda: is_ready(disk, other), "the other pod is ready once there is room")
    assert web_is(disk, first)


def test_a_second_agent(agent: AgentProcess, podwright_server: Podwright, busybox_image: str, tmp_path: Path) -> None:
    first = start_web(agent, busybox_image)
    for options, message in (
        ([f"--root-dir={agent.root}", f"--agent-socket={tmp_path}/a.sock"], "another agent uses root directory"),
        ([f"--root-dir={tmp_path}/root", f"--agent-socket={agent.socket}"], "another agent listens on"),
    ):
        argv = [*(sys.executable, "-m", "podwright", "agent", f"--config={agent.part.directory}/kubelet.yaml")]
        endpoint = f"--container-runtime-endpoint={podwright_server.endpoint}"
        second = subprocess.run(
            [*argv, *options, endpoint], capture_output=True, text=True, timeout=patient(60), check=False
        )
        assert second.returncode != 0
        assert message in second.stderr
    assert web_is(agent, first)


def test_manifests_that_are_traps(agent: AgentProcess, busybox_image: str) -> None:
    first = start_web(agent, busybox_image)
    folder = agent.manifests
    (folder / "large.yaml").write_bytes(b"a: [" + b"x," * 5_000_000)
    (folder / "larger.yaml").write_bytes(b"#" * (11 << 20))
    (folder / "many.yaml").write_text(
        "a: &a [x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{name}: &{name} [{','.join([f'*{before}'] * 8)}]\n"
            for before, name in zip("abcdefgh", "bcdefghi", strict=True)
        )
    )
    (folder / "latin.yaml").write_bytes(b"kind: \xe4")
    os.mkfifo(folder / "fifo.yaml")
    os.mknod(folder / "null.yaml", 0o600 | 0o020000, os.makedev(1, 3))
    os.symlink("loop.yaml", folder / "loop.yaml")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "s"))
    agent.write("web2.yaml", manifest("web", PLAIN, image=busybox_image, script=FOREVER))
    agent.write("last.yaml", manifest("last", PLAIN, image=busybox_image, script=FOREVER))
    agent.until(lambda: is_ready(agent, f"last-{node_name()}"), "a good manifest among them is taken")
    log = agent.log.read_text()
    for name, problem in (
        ("large.yaml", "it holds more than 200000 values"),
        ("larger.yaml", "is larger than 10 MiB"),
        ("many.yaml", "it holds more than 200000 values"),
        ("latin.yaml", "is not UTF-8"),
        ("loop.yaml", "Too many levels of symbolic links"),
    ):
        assert any(name in line and problem in line for line in log.splitlines()), f"{name}: {problem}\n{log[-4000:]}"
    assert "another pod of this source is called default/web" in log
    assert web_is(agent, first)
    used = next(
        line for line in Path(f"/proc/{agent.pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    )
    assert int(used.split()[1]) < MEMORY_LIMIT_KIB
    agent.until(lambda: status(agent, f"web-{node_name()}")["containerStatuses"][0]["restartCount"] == 0, "no restart")


def test_a_folder_that_vanishes_and_comes_back(agent: AgentProcess, busybox_image: str) -> None:
    first = start_web(agent, busybox_image)
    away = agent.manifests.with_name("away")
    os.rename(agent.manifests, away)
    agent.until(lambda: "their pods run on" in agent.log.read_text(), "the log says what is wrong")
    assert web_is(agent, first)
    os.rename(away, agent.manifests)
    agent.write("last.yaml", manifest("last", PLAIN, image=busybox_image, script=FOREVER))
    agent.until(lambda: is_ready(agent, f"last-{node_name()}"), "the folder is watched again")
    assert web_is(agent, first)
