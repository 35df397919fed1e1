"""Runs one plugin. Called by `chain`.

A failure of the plugin is a value here, because its meaning depends on the call.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from podwright.errors import DeadlineExceeded, FailedPrecondition
from podwright.process import Command, ProcessRunner
from podwright.process.runner import SAFE_PATH
from podwright.runtime.network.cni import calls, results
from podwright.runtime.network.cni.config import NetworkList, PluginConfig
from podwright.runtime.network.cni.results import Failure

VERSION_TIMEOUT_S = 10.0

PluginFile = tuple[str, int, int, int]  # path, inode, size, mtime in ns: differs for another program


class PluginCall(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin, its command and its input."""

    command: str
    network: NetworkList
    plugin: PluginConfig
    target: calls.CniTarget | None = None
    previous: Mapping[str, Any] | None = None
    valid: list[dict[str, str]] | None = None


class PluginRunner:
    """Finds plugins in the directories of [network] cni_bin_dirs and runs them."""

    def __init__(self, bin_dirs: tuple[str, ...], runner: ProcessRunner) -> None:
        self._bin_dirs = bin_dirs
        self._runner = runner

    def find(self, kind: str) -> str | None:
        """The path of a plugin, or None."""
        for folder in self._bin_dirs:
            path = f"{folder}/{kind}"
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
        return None

    def missing(self, network: NetworkList) -> str:
        """The first plugin of a network that is not installed, or ""."""
        return next((plugin.type for plugin in network.plugins if self.find(plugin.type) is None), "")

    def files(self, network: NetworkList) -> tuple[PluginFile, ...]:
        """The installed files of the network's plugins. Raises FailedPrecondition if one is missing."""
        found = []
        for plugin in network.plugins:
            path = self._path(plugin.type)
            try:
                status = os.stat(path)
            except OSError as failure:
                raise FailedPrecondition(f"the CNI plugin {path}: {failure.strerror}") from failure
            found.append((path, status.st_ino, status.st_size, status.st_mtime_ns))
        return tuple(found)

    async def run(self, invocation: PluginCall, timeout_s: float) -> dict[str, Any] | Failure:
        """The plugin's output, or its failure.

        Raises FailedPrecondition if it is not installed, and DeadlineExceeded if it does not end in time.
        """
        kind = invocation.plugin.type
        stdin = calls.standard_input(
            invocation.network,
            invocation.plugin,
            target=invocation.target,
            previous=invocation.previous,
            valid=invocation.valid,
        )
        env = calls.environment(invocation.command, self._bin_dirs, SAFE_PATH, invocation.target)
        try:
            done = await self._runner.run(Command(argv=(self._path(kind),), timeout_s=timeout_s, stdin=stdin, env=env))
        except DeadlineExceeded as late:
            raise DeadlineExceeded(
                f"CNI network {invocation.network.name}: plugin {kind} did not end {invocation.command} in time"
            ) from late
        if done.returncode != 0:
            return results.parse_failure(kind, done.returncode, done.stdout, done.stderr)
        try:
            return results.parse_result(done.stdout)
        except ValueError as failure:
            return Failure(plugin=kind, code=0, message=f"printed an invalid CNI result: {failure}")

    async def versions(self, network: NetworkList, plugin: PluginConfig) -> frozenset[str] | None:
        """The versions that the plugin supports, or None if it does not report them. Raises as `run` does."""
        stdin = f'{{"cniVersion":"{network.version}"}}'.encode()
        env = calls.version_environment(SAFE_PATH)
        command = Command(argv=(self._path(plugin.type),), timeout_s=VERSION_TIMEOUT_S, stdin=stdin, env=env)
        done = await self._runner.run(command)
        return results.supported_versions(done.stdout) if done.returncode == 0 else None

    def _path(self, kind: str) -> str:
        path = self.find(kind)
        if path is None:
            folders = ", ".join(self._bin_dirs)
            raise FailedPrecondition(
                f"the CNI plugin {kind} is not in {folders}", hint="install it, or see [network] cni_bin_dirs"
            )
        return path
