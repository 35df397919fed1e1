"""The cgroup files of a container, as this host shows them whatever runtime made them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost


class ContainerCgroup(msgspec.Struct, frozen=True, kw_only=True):
    """A running container's cgroup. `paths` by controller, "" for the v2 hierarchy."""

    host: CgroupHost
    pid: int
    paths: dict[str, str]

    def read(self, controller: str, v1_name: str, v2_name: str) -> str:
        """A limit, by the name of its file on either version."""
        if controller in self.host.controllers:
            return Path(self.host.controllers[controller] + self.paths[controller], v1_name).read_text().strip()
        return Path(f"{self.host.unified}{self.paths['']}", v2_name).read_text().strip()


async def cgroup_of(pod: CasePod, container_id: str) -> ContainerCgroup:
    """By the PID that verbose status tells."""
    request = api.ContainerStatusRequest(container_id=container_id, verbose=True)
    info = (await pod.cri.call(pod.cri.runtime.ContainerStatus, request)).info["info"]
    pid = json.loads(info)["pid"]
    paths = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        paths.update(dict.fromkeys(names.split(","), path))
    return ContainerCgroup(host=cgroup.detect(), pid=pid, paths=paths)
