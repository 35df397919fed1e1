"""The servers that `make bench` measures: Podwright in several configurations, and the distribution's runtimes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness import crio, docker
from tests.harness.cni import write_bridge_conf
from tests.harness.containerd import Containerd
from tests.harness.crio import Crio
from tests.harness.daemon import Daemon
from tests.harness.docker import DockerEngine
from tests.harness.podwright import Podwright, PodwrightOnRunsc, PodwrightOnShims, PodwrightWithEngine
from tests.harness.scratch import Part, Scratch


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One running server. `scheme` goes before its endpoint; `configs` are what it was started with.

    `below` is the endpoint of the Docker Engine in which it runs pods.
    """

    name: str
    server: Daemon
    scheme: str = ""
    configs: tuple[Path, ...] = ()
    below: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Settings of all servers: the registry's host and port, and the folder that sends other hosts' pulls there."""

    registry: str
    certs_d: Path

    @property
    def pause_image(self) -> str:
        """The image for the sandboxes of other runtimes."""
        return f"{self.registry}/pause:1"


def _podwright(
    settings: Mapping[str, Any], *, cni: bool = False, kind: type[Podwright] = Podwright
) -> Callable[[Part, Site, str], Peer]:
    def make(part: Part, site: Site, name: str) -> Peer:
        over: dict[str, Any] = {"log_level": "info", "registry": {"config_path": str(site.certs_d)}, **settings}
        configs: tuple[Path, ...] = ()
        if cni:
            conf_dir = write_bridge_conf(part)
            over["network"] = {"mode": "cni", "cni_conf_dir": str(conf_dir)}
            configs = tuple(conf_dir.iterdir())
        server = kind(part, settings=over)
        server.leaves_bridge = cni
        return Peer(name=name, server=server, configs=(server.config, *configs))

    return make


def _podwright_docker(part: Part, site: Site, name: str) -> Peer:  # noqa: ARG001 # it needs none of the site
    server = PodwrightWithEngine(part, settings={"log_level": "info"})
    configs = (server.config, server.engine.config)
    return Peer(name=name, server=server, configs=configs, below=server.engine.endpoint)


def _containerd(part: Part, site: Site, name: str) -> Peer:
    server = Containerd(part, pause_image=site.pause_image, certs_d=site.certs_d)
    return Peer(name=name, server=server, configs=(server.config, *(part.directory / "net.d").iterdir()))


def _crio(handler: str) -> Callable[[Part, Site, str], Peer]:
    def make(part: Part, site: Site, name: str) -> Peer:
        server = Crio(part, pause_image=site.pause_image, registry=site.registry, handler=handler)
        return Peer(name=name, server=server, configs=(server.config, *(part.directory / "net.d").iterdir()))

    return make


def _docker(part: Part, site: Site, name: str) -> Peer:  # noqa: ARG001 # it needs none of the site
    server = DockerEngine(part)
    return Peer(name=name, server=server, scheme="docker+", configs=(server.config,))


MAKERS: dict[str, Callable[[Part, Site, str], Peer]] = {
    "podwright": _podwright({"default_handler": "crun"}),
    "podwright-runc": _podwright({"default_handler": "runc"}),
    "podwright-runsc": _podwright({}, kind=PodwrightOnRunsc),
    "podwright-shim": _podwright({}, kind=PodwrightOnShims),
    "podwright-cni": _podwright({"default_handler": "crun"}, cni=True),
    "podwright-docker": _podwright_docker,
    "containerd": _containerd,
    "crio": _crio("crun"),
    "crio-runc": _crio("runc"),
    "docker": _docker,
}
NAMES = tuple(MAKERS)
# Every handler and engine of Podwright on its built-in bridge, and those that they are compared with.
HANDLERS = (
    *("podwright", "podwright-runc", "podwright-runsc", "podwright-shim", "podwright-docker"),
    *("containerd", "docker"),
)
# Without those that take hours for the growths.
USUAL = tuple(name for name in NAMES if name not in ("podwright-runsc", "podwright-shim"))
# Those that not every machine has, by the first part of the name.
IS_INSTALLED = {"crio": crio.is_installed, "docker": docker.is_installed, "podwright-docker": docker.is_installed}


def start_peers(scratch: Scratch, names: list[str], *, site: Site, stack: ExitStack) -> list[Peer]:
    """Start those that were named; the stack takes them down. Exits for a name that is none."""
    peers = []
    for name in names:
        if name not in MAKERS:
            sys.exit(f"bench: there is no {name}; there are {', '.join(NAMES)}")
        program = name if name in IS_INSTALLED else name.partition("-")[0]
        if program in IS_INSTALLED and not IS_INSTALLED[program]():
            print(f"bench: {name} is left out, for {program} is not installed", file=sys.stderr)
            continue
        peer = MAKERS[name](scratch.part("b"), site, name)
        stack.enter_context(peer.server)
        peer.server.start()
        peers.append(peer)
    return peers
