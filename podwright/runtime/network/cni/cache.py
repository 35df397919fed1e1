"""libcni's cache of attachments, `<dir>/results/<network>-<container>-<interface>`, which other tools also read."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition, ResourceExhausted
from podwright.runtime.network.cni.calls import CniTarget
from podwright.runtime.network.cni.config import NetworkList

KIND = "cniCacheV1"


class CachedAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """An entry: an attachment's configuration and result."""

    network: str
    config: str
    target: CniTarget
    result: dict[str, Any]


class ResultCache:
    """The directory of small files."""

    def __init__(self, folder: str) -> None:
        """`folder` is CNI's cache directory, by convention /var/lib/cni."""
        self._folder = f"{folder}/results"

    def save(self, network: NetworkList, target: CniTarget, result: dict[str, Any]) -> None:
        """Write an entry atomically. Raises FailedPrecondition or ResourceExhausted."""
        document = {
            "kind": KIND,
            "containerId": target.container_id,
            "config": base64.b64encode(network.text().encode()).decode(),
            "ifName": target.interface,
            "networkName": network.name,
            "netns": target.netns,
            "cniArgs": [list(pair) for pair in target.args],
            "capabilityArgs": dict(target.capability_args),
            "result": result,
        }
        path = self._path(network.name, target.container_id, target.interface)
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            draft = f"{path}.{os.getpid()}"
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "w", encoding="utf-8") as file:
                json.dump(document, file)
            os.rename(draft, path)
        except OSError as failure:
            kind = ResourceExhausted if failure.errno == 28 else FailedPrecondition
            raise kind(f"cannot write CNI's cache {path}: {failure.strerror}") from failure

    def load(self, network: str, container_id: str, interface: str) -> CachedAttachment | None:
        """An entry, or None if it is absent or unreadable."""
        return self._read(self._path(network, container_id, interface))

    def remove(self, network: str, container_id: str, interface: str) -> None:
        """Delete an entry. An absent one succeeds."""
        with contextlib.suppress(OSError):
            os.unlink(self._path(network, container_id, interface))

    def of_network(self, network: str) -> list[CachedAttachment]:
        """All entries of a network, of any runtime."""
        try:
            names = sorted(os.listdir(self._folder))
        except OSError:
            return []
        entries = (self._read(f"{self._folder}/{name}") for name in names if name.startswith(f"{network}-"))
        return [entry for entry in entries if entry is not None and entry.network == network]

    def _path(self, network: str, container_id: str, interface: str) -> str:
        return f"{self._folder}/{network}-{container_id}-{interface}"

    def _read(self, path: str) -> CachedAttachment | None:
        try:
            with open(path, encoding="utf-8") as file:
                document = json.load(file)
            if document["kind"] != KIND:
                return None
            return CachedAttachment(
                network=document["networkName"],
                config=base64.b64decode(document["config"]).decode(),
                target=CniTarget(
                    container_id=document["containerId"],
                    netns=document.get("netns") or "",
                    interface=document["ifName"],
                    args=tuple((key, value) for key, value in document.get("cniArgs") or ()),
                    capability_args=document.get("capabilityArgs") or {},
                ),
                result=document.get("result") or {},
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None
