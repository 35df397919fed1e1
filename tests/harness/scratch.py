"""One test session's private part of the machine: a directory, names, addresses, cgroup parents.

Sessions run side by side on one host, so everything that a test makes carries the session's tag; the leak check
tells ours from theirs by it.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import random
import secrets
import shutil
import subprocess
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from tools.leaks import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one server gets: its own directory, bridge, subnet and cgroup parent."""

    directory: Path
    bridge: str
    subnet: ipaddress.IPv4Network
    cgroup_parent: str

    @property
    def scope(self) -> Scope:
        """How to recognise what this server made."""
        return Scope(
            roots=(str(self.directory),),
            links=(self.bridge,),
            cgroups=(self.cgroup_parent,),
            addresses=(address_prefix(self.subnet),),
        )


class Scratch:
    """Hands out parts; made once per session."""

    def __init__(self) -> None:
        """Make the directory; its path is short because socket paths end at 107 bytes."""
        self.tag = secrets.token_hex(3)
        self.directory = Path(tempfile.mkdtemp(prefix=f"pwt-{self.tag}-"))
        self.directory.chmod(0o711)  # pods with users of their own must get through
        self.cgroup_parent = f"/pwt-{self.tag}"
        self._network = free_network()
        self._subnets = deque(self._network.subnets(new_prefix=24))
        self._numbers = itertools.count()

    def scope(self, *more_roots: Path) -> Scope:
        """How to recognise what this session made, in the scratch directory and in `more_roots`."""
        return Scope(
            roots=(str(self.directory), *map(str, more_roots)),
            links=(f"pw{self.tag}",),
            cgroups=(self.cgroup_parent,),
            addresses=tuple(address_prefix(subnet) for subnet in self._network.subnets(new_prefix=24)),
        )

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
            bridge=f"pw{self.tag}x{number}",  # at most 15 characters: IFNAMSIZ
            subnet=subnet,
            cgroup_parent=f"{self.cgroup_parent}/{name}{number}",
        )

    def close(self) -> None:
        """Delete the directory. Nothing may be mounted below it any more."""
        shutil.rmtree(self.directory)


def free_network() -> ipaddress.IPv4Network:
    """A random /20 below 10.0.0.0/8 that no route of this machine touches."""
    routes = _routes()
    while True:
        base = ipaddress.IPv4Address("10.0.0.0") + (random.randrange(1 << 12) << 12)
        candidate = ipaddress.IPv4Network((base, 20))
        if not any(candidate.overlaps(route) for route in routes):
            return candidate


def _routes() -> list[ipaddress.IPv4Network]:
    if shutil.which("ip") is None:
        return []
    listing = subprocess.run(["ip", "-json", "-4", "route"], check=True, capture_output=True, text=True).stdout
    destinations = [route["dst"] for route in json.loads(listing or "[]")]
    return [ipaddress.IPv4Network(destination) for destination in destinations if destination != "default"]


def address_prefix(subnet: ipaddress.IPv4Network) -> str:
    """`10.7.3.` of 10.7.3.0/24, which every address inside starts with."""
    return str(subnet.network_address).rpartition(".")[0] + "."
