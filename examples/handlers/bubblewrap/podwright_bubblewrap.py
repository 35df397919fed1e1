"""A handler for Podwright: a container is a plain process in bubblewrap. docs/handlers.md explains it.

The kind makes handlers of the same parts as those of crun, with another program in the runtime's place: `main`, which
conmon and Podwright call as they would call an OCI runtime. `processes.stand_in` has everything of such a program but
the way in which it starts processes.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from podwright.runtime.config import OciHandlerSettings
from podwright.runtime.handlers.oci.kind import OciKind
from podwright.runtime.handlers.plugin import KindContext
from podwright.runtime.handlers.processes import stand_in
from podwright.runtime.handlers.processes.stand_in import Contained
from podwright.runtime.handlers.protocol import HandlerKind

NEW = {"network": "--unshare-net", "ipc": "--unshare-ipc", "uts": "--unshare-uts", "pid": "--unshare-pid"}


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
            handlers[name] = OciHandlerSettings(path=stand_in.install(program, main, given.bwrap, *given.options))
        config = msgspec.structs.replace(context.config, handlers=handlers)
        return OciKind(config, context.runner, context.cgroups)


bubblewrap = Bubblewrap()  # what the entry point names


def main(bwrap: str, *options: str) -> int:
    """The program in the runtime's place. Its exit code."""
    return stand_in.run(Wrapping((bwrap, *options)))


class Wrapping:
    """Starts processes in bubblewrap: see `stand_in.Sandboxing`."""

    def __init__(self, bwrap: tuple[str, ...]) -> None:
        self._bwrap = bwrap

    def start(self, container: Contained, block: int) -> int:
        info = os.open(container.state / "info.json", os.O_WRONLY | os.O_CREAT, 0o600)
        words = [*self._bwrap, "--block-fd", str(block), "--info-fd", str(info), *_arguments(container.spec)]
        return subprocess.Popen(words, pass_fds=(block, info)).pid

    def first_pid(self, container: Contained) -> int:
        return int(json.loads((container.state / "info.json").read_text())["child-pid"])

    def command(self, container: Contained, process: dict[str, Any]) -> list[str]:
        inside = (f"--target={self.first_pid(container)}", "--mount", "--pid", "--net", "--ipc", "--uts")
        return ["/usr/bin/nsenter", *inside, "--root", "--wd", "--", *process["args"]]


def _arguments(spec: dict[str, Any]) -> list[str]:
    """bwrap's arguments for an OCI spec."""
    process, new = spec["process"], {one["type"] for one in spec["linux"]["namespaces"] if not one.get("path")}
    words = ["--die-with-parent", "--clearenv"]
    words += [option for kind, option in NEW.items() if kind in new]
    root = "--ro-bind" if spec["root"].get("readonly") else "--bind"
    words += [root, spec["root"]["path"], "/", "--chdir", process["cwd"]]
    for mount in spec["mounts"]:
        words += _mount(mount)
    for variable in process.get("env", ()):
        words += ["--setenv", *variable.split("=", 1)]
    return [*words, "--", *process["args"]]


def _mount(mount: dict[str, Any]) -> Iterator[str]:
    kind, target, options = mount.get("type", "bind"), mount["destination"], mount.get("options", ())
    if kind in ("proc", "tmpfs"):
        yield from ("--dev" if target == "/dev" else f"--{kind}", target)
    elif kind == "bind" or {"bind", "rbind"} & set(options):
        yield from ("--ro-bind" if "ro" in options else "--bind", mount["source"], target)
