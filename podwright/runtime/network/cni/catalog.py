"""The directory of CNI configurations: which network the host uses. Checked at every use, parsed after a change.

The first file by name that is valid and has all plugins installed is used. Broken ones are logged and skipped. A
network may appear, change or disappear without a restart, as installers of cluster networks expect.
"""

from __future__ import annotations

import logging
import os

import msgspec

from podwright.errors import InvalidArgument
from podwright.runtime.network.cni import config
from podwright.runtime.network.cni.config import NetworkList
from podwright.runtime.network.cni.plugin import PluginRunner

log = logging.getLogger(__name__)

Signature = tuple[tuple[str, int, int, int], ...]


class CniChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The directory's content.

    `present` says whether there is any configuration, `network` is the one to use, `trouble` says why there is none.
    """

    present: bool
    network: NetworkList | None = None
    trouble: str = ""


class CniConfigs:
    """Reads one directory. Takes tens of microseconds while nothing changes."""

    def __init__(self, folder: str, plugins: PluginRunner) -> None:
        self._folder = folder
        self._plugins = plugins
        self._signature: Signature | None = None
        self._networks: list[tuple[str, NetworkList]] = []
        self._broken: list[str] = []

    def look(self) -> CniChoice:
        """The current content."""
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
                log.warning(
                    "CNI configuration is skipped: file=%s error=%s", f"{self._folder}/{name}", failure.message
                )

    def _read(self, name: str) -> NetworkList:
        data = _contents(f"{self._folder}/{name}")
        network_folder = config.wants_folder(data)
        return config.parse(data, _folder_plugins(f"{self._folder}/{network_folder}") if network_folder else ())


def _signature(folder: str) -> Signature:
    """A value that changes with any configuration, or folder of plugins beside it."""
    try:
        with os.scandir(folder) as entries:
            found = []
            for entry in entries:
                try:
                    status = entry.stat()
                except OSError:  # removed in the meantime, or a dangling link
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
        raise InvalidArgument(f"cannot read it: {failure.strerror}") from failure


def _folder_plugins(folder: str) -> tuple[bytes, ...]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".conf"))
    except OSError:
        return ()
    return tuple(_contents(f"{folder}/{name}") for name in names)
