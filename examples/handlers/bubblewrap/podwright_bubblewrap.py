"""A handler for Podwright: a container is a plain process in bubblewrap. docs/handlers.md explains it.

The kind makes handlers of the same parts as those of crun, with another program in the runtime's place: this file,
which conmon and Podwright call as they would call an OCI runtime. It knows create, start, state, exec and delete.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from podwright.linux import cgroup, libc
from podwright.runtime.config import OciHandlerSettings
from podwright.runtime.handlers.oci.kind import OciKind
from podwright.runtime.handlers.plugin import KindContext
from podwright.runtime.handlers.protocol import HandlerKind

NEW = {"network": "--unshare-net", "ipc": "--unshare-ipc", "uts": "--unshare-uts", "pid": "--unshare-pid"}
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of [handlers.NAME] with `type = "bubblewrap"`."""

    bwrap: str = "/usr/bin/bwrap"
    options: tuple[str, ...] = ()  # further ones of bwrap, such as "--new-session"


class Bubblewrap:
    """The entry point: makes the kind."""

    settings = Settings

    def __call__(self, context: KindContext) -> HandlerKind:
        """All handlers of this type, each with a program of its own. Raises FailedPrecondition without conmon."""
        handlers = {}
        for name, given in context.settings.items():
            program = Path(context.config.root) / "bubblewrap" / name
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(
                f"#!{sys.executable} -P\nimport sys\nsys.path[:0] = {sys.path!r}\nimport podwright_bubblewrap\n"
                f"sys.exit(podwright_bubblewrap.main({given.bwrap!r}, {given.options!r}))\n"
            )
            program.chmod(0o755)
            handlers[name] = OciHandlerSettings(path=str(program))
        config = msgspec.structs.replace(context.config, handlers=handlers)
        return OciKind(config, context.runner, context.cgroups)


bubblewrap = Bubblewrap()  # what the entry point names


def main(bwrap: str, options: tuple[str, ...]) -> int:
    """One call of the program. The exit code."""
    parser = argparse.ArgumentParser(prog="bubblewrap")
    parser.add_argument("--version", action="version", version="bubblewrap version 1")
    for name in ("--root", "--bundle", "--pid-file", "--console-socket", "--process", "--log", "--log-format"):
        parser.add_argument(name)
    for name in ("--force", "--detach"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("command", choices=("create", "run", "start", "state", "exec", "delete"))
    parser.add_argument("id")
    given = parser.parse_args()
    state = Path(given.root) / given.id
    try:
        if given.command in ("create", "run"):
            _create(state, given, (bwrap, *options))
        if given.command in ("start", "run"):
            (state / "start").write_bytes(b"\n")
            (state / "start").unlink()
        elif given.command == "state":
            print(json.dumps(_state(state)))
        elif given.command == "exec":
            _exec(state, json.loads(Path(given.process).read_text()), given.pid_file)
        elif given.command == "delete":
            shutil.rmtree(state, ignore_errors=True)  # Podwright has killed the cgroup, or will
    except (OSError, LookupError, ValueError) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _create(state: Path, given: argparse.Namespace, bwrap: tuple[str, ...]) -> None:
    """Leave a keeper, whose end conmon waits for, and a bwrap that waits for a byte in the fifo `start`."""
    if given.console_socket:
        raise ValueError("terminals are not supported by this example")
    spec = json.loads((Path(given.bundle) / "config.json").read_text())
    _check_program(spec["root"]["path"], spec["process"])
    state.mkdir(parents=True)
    (state / "spec.json").write_text(json.dumps(spec))
    os.mkfifo(state / "start", 0o600)
    _join(spec)
    if keeper := os.fork():
        (state / "pid").write_text(str(keeper))
        Path(given.pid_file).write_text(str(keeper))
        return
    block, info = os.open(state / "start", os.O_RDWR), os.open(state / "info.json", os.O_WRONLY | os.O_CREAT, 0o600)
    options = ("--block-fd", str(block), "--info-fd", str(info))
    process = subprocess.Popen([*bwrap, *options, *_arguments(spec)], pass_fds=(block, info))
    for number in FORWARDED:
        signal.signal(number, lambda number, _: os.kill(_inside(state), number))
    os.closerange(0, max(block, info) + 1)  # only the container holds its stdio
    code = process.wait()
    os._exit(code if code >= 0 else 128 - code)


def _inside(state: Path) -> int:
    """The host's PID of the container's first process."""
    return int(json.loads((state / "info.json").read_text())["child-pid"])


def _join(spec: dict[str, Any]) -> None:
    """Enter the container's cgroup and the pod's namespaces, which bwrap inherits."""
    for folder in cgroup.detect().directories(spec["linux"]["cgroupsPath"]):
        if "/cpuset" in folder:  # v1's wants to be filled in before it takes a process
            continue
        os.makedirs(folder, exist_ok=True)
        Path(folder, "cgroup.procs").write_text(str(os.getpid()))
    for namespace in spec["linux"]["namespaces"]:
        if namespace.get("path"):
            with open(namespace["path"], "rb") as file:
                libc.setns(file.fileno(), 0)


def _arguments(spec: dict[str, Any]) -> list[str]:
    process, new = spec["process"], {one["type"] for one in spec["linux"]["namespaces"] if not one.get("path")}
    words = ["--die-with-parent", "--clearenv"]
    words += [option for kind, option in NEW.items() if kind in new]
    root = "--ro-bind" if spec["root"].get("readonly") else "--bind"
    words += [root, spec["root"]["path"], "/", "--chdir", process["cwd"]]
    for mount in spec["mounts"]:
        kind, target = mount.get("type", "bind"), mount["destination"]
        if kind in ("proc", "tmpfs"):
            words += ["--dev" if target == "/dev" else f"--{kind}", target]
        elif kind == "bind" or "bind" in mount.get("options", ()) or "rbind" in mount.get("options", ()):
            words += ["--ro-bind" if "ro" in mount.get("options", ()) else "--bind", mount["source"], target]
    for variable in process.get("env", ()):
        words += ["--setenv", *variable.split("=", 1)]
    return [*words, "--", *process["args"]]


def _state(state: Path) -> dict[str, Any]:
    pid = int((state / "pid").read_text())
    return {"status": "created" if (state / "start").exists() else "running", "pid": pid}


def _exec(state: Path, process: dict[str, Any], pid_file: str) -> None:
    """Become the command, in the namespaces of the container's first process."""
    spec = json.loads((state / "spec.json").read_text())
    _check_program(spec["root"]["path"], process)
    _join({"linux": {"cgroupsPath": spec["linux"]["cgroupsPath"], "namespaces": []}})
    Path(pid_file).write_text(str(os.getpid()))
    words = ["nsenter", f"--target={_inside(state)}", "--mount", "--pid", "--net", "--ipc", "--uts", "--root", "--wd"]
    os.execve("/usr/bin/nsenter", [*words, "--", *process["args"]], dict(v.split("=", 1) for v in process["env"]))


def _check_program(root: str, process: dict[str, Any]) -> None:
    """Raises LookupError if the program is not in the container."""
    program = process["args"][0]
    path = next((v[5:] for v in process.get("env", ()) if v.startswith("PATH=")), "/usr/bin:/bin")
    places = [program] if "/" in program else [f"{folder}/{program}" for folder in path.split(":")]
    if not any(os.path.lexists(root + place) for place in places):
        raise LookupError(f"{program}: there is no such program in the container")
