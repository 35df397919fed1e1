"""The server under test, as the cases see it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api


class CriPeer(msgspec.Struct, frozen=True, kw_only=True):
    """A server and where the pods of the cases may be on its host, which is this one.

    `name` is what Version calls the runtime. `logs` is a directory for the pods' log directories, `cgroup_parent`
    a cgroup path below which pods may be made, empty for the server's own choice. `variant` is what deviations call it
    when its configuration makes it differ from others of its name.
    """

    name: str
    endpoint: str
    client: CriClient
    logs: Path
    cgroup_parent: str
    variant: str = ""

    async def handlers(self, *, own_users: bool = False) -> list[str]:
        """The runtime handlers, or those that have user namespaces. "" is the default.

        Older servers do not list theirs, and none of those has user namespaces, so only the default is known.
        """
        status = await self.client.call(self.client.runtime.Status, api.StatusRequest())
        told = [each.name for each in status.runtime_handlers if each.features.user_namespaces or not own_users]
        return told if own_users or told else [""]
