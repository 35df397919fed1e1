"""The server under test, as the cases see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from podwright.cri.client import CriClient


@dataclass(frozen=True, slots=True, kw_only=True)
class CriPeer:
    """A server and where the pods of the cases may be on its host, which is this one.

    `name` is what Version calls the runtime. `logs` is a directory for the pods' log directories, `cgroup_parent`
    a cgroup path below which pods may be made, empty for the server's own choice.
    """

    name: str
    endpoint: str
    client: CriClient
    logs: Path
    cgroup_parent: str
