"""A program of a package's own in an OCI runtime's place: `handlers/oci` and conmon call it as they would call crun.

The package writes a `Sandboxing`, which starts processes. Everything else is here: the command line, the state between
two calls, cgroups and namespaces to be joined, and the process whose end conmon waits for.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from podwright.linux import cgroup, libc

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
DEFAULT_PATH = "/usr/bin:/bin"


class Contained(msgspec.Struct, frozen=True, kw_only=True):
    """A container: `state` is a directory of its own until its deletion, `spec` its OCI spec."""

    state: Path
    spec: dict[str, Any]


class Sandboxing(Protocol):
    """How processes are started in a container. The caller has joined the container's cgroup."""

    def start(self, container: Contained, block: int) -> int:
        """Start a child whose end is the container's. Returns its PID. Raises OSError.

        It runs the container's program as soon as the descriptor `block` can be read. The caller has joined the pod's
        namespaces.
        """

    def first_pid(self, container: Contained) -> int:
        """The PID on this host of the first process. Raises OSError and ValueError."""

    def command(self, container: Contained, process: dict[str, Any]) -> list[str]:
        """The words that run OCI's `process` in the running container. Their environment is the process's."""


def install(path: Path, main: Callable[..., int], *arguments: object) -> str:
    """Make a program of a module's function, which gets `arguments`. Returns its path. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"#!{sys.executable} -P\nimport sys\nsys.path[:0] = {sys.path!r}\n"
        f"from {main.__module__} import {main.__name__}\nsys.exit({main.__name__}(*{arguments!r}))\n"
    )
    path.chmod(0o755)
    return str(path)


def run(sandboxing: Sandboxing) -> int:
    """One call of the program. Returns its exit code. What fails is said on stderr, where callers look for it."""
    given = _parsed()
    state = Path(given.root) / given.id
    try:
        if given.command in ("create", "run"):
            _create(sandboxing, state, given)
        if given.command in ("start", "run"):
            (state / "block").write_bytes(b"\n")
            (state / "block").unlink()
        elif given.command == "state":
            status = "created" if (state / "block").exists() else "running"
            print(json.dumps({"status": status, "pid": int((state / "pid").read_text())}))
        elif given.command == "exec":
            _exec(sandboxing, state, given)
        elif given.command == "delete":
            shutil.rmtree(state, ignore_errors=True)  # the caller has killed the cgroup, or will
    except (OSError, LookupError, ValueError) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--version", action="version", version=f"{Path(sys.argv[0]).name} version 1")
    for name in ("--root", "--bundle", "--pid-file", "--console-socket", "--process", "--log", "--log-format"):
        parser.add_argument(name)
    for name in ("--force", "--detach"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("command", choices=("create", "run", "start", "state", "exec", "delete"))
    parser.add_argument("id")
    return parser.parse_args()


def _create(sandboxing: Sandboxing, state: Path, given: argparse.Namespace) -> None:
    """Leave a process whose end is the container's, and a first process that waits for a byte in the fifo `block`."""
    if given.console_socket:
        raise ValueError("this handler has no terminals")
    spec = json.loads((Path(given.bundle) / "config.json").read_text())
    check_program(spec["root"]["path"], spec["process"])
    state.mkdir(parents=True)
    (state / "spec.json").write_text(json.dumps(spec))
    os.mkfifo(state / "block", 0o600)
    join_cgroup(spec)
    join_namespaces(spec)
    if keeper := os.fork():  # noqa: TID251 # in a program of its own, without gRPC
        (state / "pid").write_text(str(keeper))
        Path(given.pid_file).write_text(str(keeper))
        return
    _keep(sandboxing, Contained(state=state, spec=spec))


def _keep(sandboxing: Sandboxing, container: Contained) -> None:
    """Start the container, pass signals on, and end as it ends. Does not return."""
    block = os.open(container.state / "block", os.O_RDWR)
    child = sandboxing.start(container, block)
    for number in FORWARDED:
        signal.signal(number, lambda number, _: os.kill(sandboxing.first_pid(container), number))
    os.closerange(0, block + 1)  # only the container holds its stdio
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(code if code >= 0 else 128 - code)


def _exec(sandboxing: Sandboxing, state: Path, given: argparse.Namespace) -> None:
    """Become the command."""
    container = Contained(state=state, spec=json.loads((state / "spec.json").read_text()))
    process = json.loads(Path(given.process).read_text())
    check_program(container.spec["root"]["path"], process)
    join_cgroup(container.spec)
    Path(given.pid_file).write_text(str(os.getpid()))
    words = sandboxing.command(container, process)
    os.execvpe(words[0], words, dict(variable.split("=", 1) for variable in process["env"]))  # noqa: S606 # no shell


def join_cgroup(spec: dict[str, Any]) -> None:
    """Enter the container's cgroup, and make it where it is missing. Its limits are not set. Raises OSError."""
    for folder in cgroup.detect().directories(spec["linux"]["cgroupsPath"]):
        if "/cpuset" in folder:  # v1's wants to be filled in before it takes a process
            continue
        os.makedirs(folder, exist_ok=True)
        Path(folder, "cgroup.procs").write_text(str(os.getpid()))


def join_namespaces(spec: dict[str, Any]) -> None:
    """Enter the namespaces of the pod, which the spec names by paths. Raises OSError."""
    for namespace in spec["linux"]["namespaces"]:
        if namespace.get("path"):
            with open(namespace["path"], "rb") as file:
                libc.setns(file.fileno(), 0)


def check_program(root: str, process: dict[str, Any]) -> None:
    """Raises LookupError if the program is not in the container's root."""
    program = process["args"][0]
    path = next((v[5:] for v in process.get("env", ()) if v.startswith("PATH=")), DEFAULT_PATH)
    places = [program] if "/" in program else [f"{folder}/{program}" for folder in path.split(":")]
    if not any(os.path.lexists(root + place) for place in places):
        raise LookupError(f"{program}: there is no such program in the container")
