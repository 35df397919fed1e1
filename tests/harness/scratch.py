"""One test session's private part of the machine: a directory, names, addresses, cgroup parents.

Sessions run side by side on one host, and a session in several processes, so everything that a test makes carries the
tag of its session and its process; the leak check tells ours from theirs by it.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from podwright.agent.resources.cgroup_names import Driver, names_of
from tools.leaks import Scope

SESSION_PREFIX, PROCESS_PREFIX = 17, 20
_CLAIMS: list[socket.socket] = []  # open for as long as this process


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The names and places of one server: its own directory, bridge, subnet and cgroup parent."""

    directory: Path
    bridge: str
    subnet: ipaddress.IPv4Network
    cgroup_parent: str
    driver: Driver = "cgroupfs"

    @property
    def pod_parent(self) -> str:
        """The parent cgroup that requests to a server name: with the systemd driver, a slice of its own.

        Tests that make cgroups without systemd make them in `cgroup_parent`, which systemd does not know.
        """
        return names_of(self.driver, self.cgroup_parent).top

    @property
    def scope(self) -> Scope:
        """How to recognise what this server made."""
        return Scope(
            roots=(str(self.directory),),
            links=(self.bridge,),
            cgroups=tuple(dict.fromkeys((self.cgroup_parent, self.pod_parent))),
            addresses=(address_prefix(self.subnet),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The names and places of one session. All are plain text, which can be sent to another process."""

    tag: str
    directory: str
    cgroup_parent: str
    network: str
    driver: Driver = "cgroupfs"

    def of(self, number: int) -> Share:
        """The share of one of the session's processes. Networks come round again when there are many.

        The letter ends the session's tag: see Scope.
        """
        networks = list(ipaddress.IPv4Network(self.network).subnets(new_prefix=PROCESS_PREFIX))
        return Share(
            tag=f"{self.tag}w{number}",
            directory=_open_directory(Path(self.directory, f"w{number}")),
            cgroup_parent=f"{self.cgroup_parent}/w{number}",
            network=str(networks[number % len(networks)]),
            driver=self.driver,
        )

    def scope(self, *more_roots: str) -> Scope:
        """How to recognise what was made on this share, in its directory and in `more_roots`."""
        return Scope(
            roots=(self.directory, *more_roots),
            links=(f"pw{self.tag}",),
            cgroups=(self.cgroup_parent, names_of("systemd", self.cgroup_parent).top),
            addresses=tuple(address_prefix(subnet) for subnet in _server_subnets(self.network)),
        )


def new_share(driver: Driver = "cgroupfs") -> Share:
    """Make the share of a new session with its directory, whose path is short: socket paths end at 107 bytes."""
    tag = secrets.token_hex(3)
    return Share(
        tag=tag,
        directory=_open_directory(Path(tempfile.gettempdir(), f"pwt-{tag}")),
        cgroup_parent=f"/pwt-{tag}",
        network=str(free_network()),
        driver=driver,
    )


def _open_directory(path: Path) -> str:
    path.mkdir()
    path.chmod(0o711)  # pods with users of their own must get through
    return str(path)


def _server_subnets(network: str) -> Iterator[ipaddress.IPv4Network]:
    return ipaddress.IPv4Network(network).subnets(new_prefix=24)


class Scratch:
    """Hands out parts of a share."""

    def __init__(self, share: Share | None = None) -> None:
        """Hands out parts of `share`, by default of a new one."""
        self.share = share or new_share()
        self.directory = Path(self.share.directory)
        self._subnets = deque(_server_subnets(self.share.network))
        self._numbers = itertools.count()

    def scope(self) -> Scope:
        """How to recognise what was made here."""
        return self.share.scope()

    def part(self, name: str, *, keep: bool = False) -> Part:
        """A new part; its directory exists. Subnets come round again, but for those kept for the whole session."""
        number = next(self._numbers)
        subnet = self._subnets.popleft()
        if not keep:
            self._subnets.append(subnet)
        directory = self.directory / f"{name}{number}"
        directory.mkdir()
        return Part(
            directory=directory,
            bridge=f"pw{self.share.tag}x{number}",  # at most 15 characters: IFNAMSIZ
            subnet=subnet,
            cgroup_parent=f"{self.share.cgroup_parent}/{name}{number}",
            driver=self.share.driver,
        )

    def close(self) -> None:
        """Delete the directory. Nothing may be mounted below it any more."""
        shutil.rmtree(self.directory)


def free_network() -> ipaddress.IPv4Network:
    """A random network below 10.0.0.0/8, for eight processes, that no route of this machine touches.

    It is claimed until this process ends: another session's may have no route yet.
    """
    routes = _routes()
    while True:
        base = ipaddress.IPv4Address("10.0.0.0") + (
            random.randrange(1 << (SESSION_PREFIX - 8)) << (32 - SESSION_PREFIX)
        )
        candidate = ipaddress.IPv4Network((base, SESSION_PREFIX))
        if not any(candidate.overlaps(route) for route in routes) and _is_claimed(candidate):
            return candidate


def _is_claimed(network: ipaddress.IPv4Network) -> bool:
    """Take a name of the kernel's for it, which nobody else has and which goes with this process."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0podwright-tests-{network}")
    except OSError:
        claim.close()
        return False
    _CLAIMS.append(claim)
    return True


def _routes() -> list[ipaddress.IPv4Network]:
    if shutil.which("ip") is None:
        return []
    listing = subprocess.run(["ip", "-json", "-4", "route"], check=True, capture_output=True, text=True).stdout
    destinations = [route["dst"] for route in json.loads(listing or "[]")]
    return [ipaddress.IPv4Network(destination) for destination in destinations if destination != "default"]


def address_prefix(subnet: ipaddress.IPv4Network) -> str:
    """`10.7.3.` of 10.7.3.0/24, which every address inside starts with."""
    return str(subnet.network_address).rpartition(".")[0] + "."
