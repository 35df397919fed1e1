"""Places for the suite of handlers: the fake in memory, and OCI runtimes on this machine."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from podwright.runtime.handlers.protocol import Bundle, ExecProcess, Handler, SandboxBundle

APPLETS = ("sh", "sleep", "cat", "echo")


class LocalWorld:
    """Bundles in a directory of the test; `make` gives the handler of a new daemon."""

    def __init__(self, folder: Path, cgroup_parent: str, make: Callable[[], Handler]) -> None:
        self._folder = folder
        self._cgroup_parent = cgroup_parent
        self._make = make
        self.handler = make()

    def killed(self) -> Handler:
        self.handler = self._make()
        return self.handler

    def _place(self) -> tuple[str, Path]:
        container_id = secrets.token_hex(32)
        directory = self._folder / container_id
        directory.mkdir()
        return container_id, directory

    def bundle(self, *argv: str, terminal: bool = False, stdin: bool = False) -> Bundle:
        container_id, directory = self._place()
        cgroup = f"{self._cgroup_parent}/{container_id}"
        (directory / "config.json").write_text(json.dumps(self._spec(argv, cgroup, terminal=terminal)))
        return Bundle(
            id=container_id,
            name="case",
            directory=str(directory),
            cgroup=cgroup,
            owner=(0, 0),
            log_path=str(directory / "case.log"),
            terminal=terminal,
            stdin=stdin,
        )

    def sandbox(self) -> SandboxBundle:
        sandbox_id, directory = self._place()
        return SandboxBundle(id=sandbox_id, directory=str(directory), cgroup=f"{self._cgroup_parent}/{sandbox_id}")

    def process(self, *argv: str, stdin: bool = False) -> ExecProcess:
        return ExecProcess(spec=_process(argv, terminal=False), owner=(0, 0), stdin=stdin)

    def log(self, bundle: Bundle) -> str:
        path = Path(bundle.log_path)
        lines = path.read_text().splitlines() if path.exists() else []
        return "\n".join(line.split(" ", 3)[3] for line in lines)

    def _annotations(self) -> dict[str, str]:
        return {}

    def _spec(self, argv: tuple[str, ...], cgroup: str, *, terminal: bool) -> dict[str, object]:
        return {
            "ociVersion": "1.0.2",
            "process": _process(argv, terminal=terminal),
            "root": {"path": str(self._folder / "rootfs"), "readonly": True},
            "annotations": self._annotations(),
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            ],
            "linux": {"cgroupsPath": cgroup, "namespaces": [{"type": "mount"}, {"type": "pid"}], "resources": {}},
        }


class SandboxedWorld(LocalWorld):
    """Its containers are all in one pod of a handler whose pods need a sandbox."""

    _pod: SandboxBundle | None = None

    async def begin(self) -> None:
        """Run the pod's sandbox."""
        pod = self.sandbox()
        spec = self._spec(("/pause",), pod.cgroup, terminal=False)
        annotations = {"io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": pod.id}
        await self.handler.create_sandbox(pod, {**spec, "annotations": annotations})
        self._pod = pod

    async def end(self) -> None:
        """Stop it, if it runs."""
        if self._pod is not None:
            await self.handler.stop_sandbox(self._pod)

    def _annotations(self) -> dict[str, str]:
        if self._pod is None:
            return {}
        return {"io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.sandbox-id": self._pod.id}


def _process(argv: tuple[str, ...], *, terminal: bool) -> dict[str, object]:
    return {
        "terminal": terminal,
        "user": {"uid": 0, "gid": 0},
        "args": list(argv),
        "env": ["PATH=/bin"],
        "cwd": "/",
        "oomScoreAdj": 0,
    }


def make_rootfs(folder: Path, busybox: Path) -> None:
    """A root with the programs that the suite uses."""
    for name in ("bin", "proc", "dev"):
        (folder / "rootfs" / name).mkdir(parents=True)
    program = folder / "rootfs/bin/busybox"
    program.write_bytes(busybox.read_bytes())
    program.chmod(0o755)
    for applet in APPLETS:
        os.link(program, folder / "rootfs/bin" / applet)
