"""The directory of CNI configurations: which network the host wants, looked up at every use, parsed when it changed.

The first file by name that is valid and whose plugins are installed wins; broken ones are logged and passed over. A
network appears, changes or goes away without a restart, as installers of cluster networks expect.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

from podwright.errors import InvalidArgument
from podwright.runtime.network.cni import config
from podwright.runtime.network.cni.config import NetworkList
from podwright.runtime.network.cni.plugin import PluginRunner

log = logging.getLogger(__name__)

Signature = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CniChoice:
    """What the directory says: `present` if it has any configuration, `network` the one to use, else why not."""

    present: bool
    network: NetworkList | None = None
    trouble: str = ""


class CniConfigs:
    """Looks into one directory; a look takes tens of microseconds while nothing changes."""

    def __init__(self, folder: str, plugins: PluginRunner) -> None:
        self._folder = folder
        self._plugins = plugins
        self._signature: Signature | None = None
        self._networks: list[tuple[str, NetworkList]] = []
        self._broken: list[str] = []

    def look(self) -> CniChoice:
        """What the directory says now."""
        signature = _signature(self._folder)
        if signature != self._signature:
            self._load([name for name, *_ in signature if name.endswith(config.SUFFIXES)])
            self._signature = signature
        troubles = list(self._broken)
        for name, network in self._networks:
            missing = self._plugins.missing(network)
            if not missing:
                return CniChoice(present=True, network=network)
            troubles.append(f"{name}: the plugin {missing} is not installed")
        return CniChoice(
            present=bool(troubles), trouble="; ".join(troubles) or f"no CNI configuration in {self._folder}"
        )

    def _load(self, names: list[str]) -> None:
        self._networks, self._broken = [], []
        for name in names:
            try:
                self._networks.append((name, self._read(name)))
            except InvalidArgument as failure:
                self._broken.append(f"{name}: {failure.message}")
                log.warning("CNI configuration passed over file=%s: %s", f"{self._folder}/{name}", failure.message)

    def _read(self, name: str) -> NetworkList:
        data = _contents(f"{self._folder}/{name}")
        network_folder = config.wants_folder(data)
        return config.parse(data, _folder_plugins(f"{self._folder}/{network_folder}") if network_folder else ())


def _signature(folder: str) -> Signature:
    """Changes when a configuration, or a folder of plugins beside it, does."""
    try:
        with os.scandir(folder) as entries:
            found = []
            for entry in entries:
                try:
                    status = entry.stat()
                except OSError:  # removed meanwhile, or a link that leads nowhere
                    continue
                if entry.name.endswith(config.SUFFIXES) or entry.is_dir():
                    found.append((entry.name, status.st_mtime_ns, status.st_size, status.st_ino))
    except OSError:
        return ()
    return tuple(sorted(found))


def _contents(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as failure:
        raise InvalidArgument(f"cannot be read: {failure.strerror}") from failure


def _folder_plugins(folder: str) -> tuple[bytes, ...]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".conf"))
    except OSError:
        return ()
    return tuple(_contents(f"{folder}/{name}") for name in names)
