"""`podwright serve` from this tree, on private directories."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.harness.docker import DockerEngine
from tests.harness.scratch import Part
from tests.harness.server import CriServer

Settings = Mapping[str, Any]


class Podwright(CriServer):
    """Our daemon; `root`, `state` and `config` are paths inside its part."""

    name = "podwright"

    def __init__(self, part: Part, *, settings: Settings | None = None, config_text: str | None = None) -> None:
        """`settings` are laid over the harness's own; `config_text` replaces the whole file."""
        super().__init__(part)
        self.root = part.directory / "root"
        self.state = part.directory / "state"
        self.config = part.directory / "config.toml"
        text = config_text if config_text is not None else toml_of(merged(self._defaults(), settings or {}))
        self.config.write_text(text)

    def _defaults(self) -> Settings:
        nowhere = self.directory / "none"  # this machine's own CNI and registry settings and logins must not matter
        return {
            "log_level": "debug",
            "registry": {"config_path": str(nowhere), "auth_file": str(nowhere / "logins.json")},
            "network": {
                "cni_conf_dir": str(nowhere),
                "cni_cache_dir": str(self.directory / "cni-cache"),
                "bridge": self.part.bridge,
                "subnet": str(self.part.subnet),
            },
            "nri": {
                "socket_path": str(self.directory / "nri.sock"),
                "plugin_path": str(nowhere),
                "plugin_config_path": str(nowhere),
            },
            "containers": {"cgroup_driver": self.part.driver, "cgroup_parent": self.part.pod_parent},
        }

    def argv(self) -> Sequence[str]:
        """As people start it."""
        flags = {"config": self.config, "root": self.root, "state": self.state, "listen": self.endpoint}
        arguments = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
        return [sys.executable, "-m", "podwright", "serve", *arguments]

    def leftover_files(self) -> list[Path]:
        """Directories of sandboxes and containers."""
        places = (self.state / "sandboxes", self.state / "containers", self.state / "exits", self.root / "containers")
        return [entry for place in places for entry in sorted(place.glob("*"))]


class PodwrightOnShims(Podwright):
    """Our daemon whose pods run on containerd's shim for runc."""

    variant = "podwright-shim"

    def _defaults(self) -> Settings:
        handlers = {"shim": {"type": "shim", "path": os.environ.get("PODWRIGHT_TEST_SHIM", "")}}
        return {**super()._defaults(), "handlers": handlers}

    def leftover_files(self) -> list[Path]:
        """As of every daemon, and the directories of shims."""
        return [*super().leftover_files(), *sorted((self.state / "shims").glob("*/*"))]


class PodwrightOnDocker(Podwright):
    """Our daemon whose pods run in a Docker Engine, which lives as long as the daemon's object."""

    variant = "podwright-docker"

    def __init__(self, part: Part, engine: DockerEngine, *, settings: Settings | None = None) -> None:
        """The engine need not run yet."""
        self.engine = engine
        super().__init__(part, settings=settings)

    def _defaults(self) -> Settings:
        ours = super()._defaults()
        return {
            **ours,
            "engine": "docker",
            "docker": {"socket": str(self.engine.socket)},
            "registry": {"auth_file": ours["registry"]["auth_file"]},
            "containers": {"cgroup_parent": self.part.pod_parent},
        }


class PodwrightWithEngine(PodwrightOnDocker):
    """The same with a Docker Engine of its own, which is started before it and ended after it."""

    def __init__(self, part: Part, *, settings: Settings | None = None) -> None:
        """The Engine gets a part beside ours, whose name does not begin with ours: the sweep goes by prefixes."""
        beside = part.directory.with_name(f"e{part.directory.name}")
        beside.mkdir()
        engine = DockerEngine(dataclasses.replace(part, directory=beside), networks=False)
        super().__init__(part, engine, settings=settings)

    def start(self) -> None:
        """The Engine first, if it does not run."""
        if not self.engine.runs:
            self.engine.start()
        super().start()

    def close(self) -> None:
        """The Engine last."""
        with self.engine:
            super().close()


class PodwrightOnRunsc(Podwright):
    """Our daemon whose pods run in gVisor, on the platform that needs no KVM.

    With the host's network stack in the pod's namespace: Debian's runsc takes every namespace of a newer kernel for
    the host's own, and refuses it.
    """

    variant = "podwright-runsc"

    def _defaults(self) -> Settings:
        return {**super()._defaults(), "handlers": {"runsc": {"arguments": ["--platform=ptrace", "--network=host"]}}}


def merged(base: Settings, over: Settings) -> dict[str, Any]:
    """`base` with `over` laid on it, table by table."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result


def toml_of(settings: Settings, prefix: str = "") -> str:
    """Settings as TOML: plain values first, then one table after the other."""
    plain = [f"{key} = {_value(value)}" for key, value in settings.items() if not isinstance(value, Mapping)]
    tables = [
        f"\n[{prefix}{json.dumps(key)}]\n{toml_of(value, f'{prefix}{json.dumps(key)}.')}"
        for key, value in settings.items()
        if isinstance(value, Mapping)
    ]
    return "".join(f"{line}\n" for line in plain) + "".join(tables)


def _value(value: object) -> str:
    # JSON's strings, numbers, booleans and lists of them are TOML too.
    return json.dumps(str(value) if isinstance(value, Path) else value)
