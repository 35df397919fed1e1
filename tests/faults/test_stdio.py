"""What processes of pods have as descriptors 0, 1 and 2, and what they begin with, seen from the host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from podwright.cri.v1 import api_pb2 as api
from podwright.linux import cgroup
from tests.faults.node import Node
from tests.harness.cgroups import container_cgroup

pytestmark = [pytest.mark.root]

OTHERS = (66000, 66001)  # nobody else on this machine has these numbers
MAPPING = api.IDMapping(host_id=OTHERS[0], container_id=0, length=65536)
OWN_USERS = api.UserNamespace(mode=api.POD, uids=[MAPPING], gids=[MAPPING])


def _leads_to(pid: int) -> list[str]:
    return [os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)]


@pytest.mark.parametrize("handler", ["crun", "runc"])
@pytest.mark.parametrize("own_users", [False, True])
async def test_the_first_process_of_a_shared_pid_namespace(node: Node, handler: str, own_users: bool) -> None:
    namespaces = api.NamespaceOption(pid=api.POD, userns_options=OWN_USERS if own_users else None)
    pod = await node.pod(handler=handler, namespaces=namespaces)
    await pod.run()
    group = container_cgroup(node.server.part, pod.config.linux.cgroup_parent, pod.id)
    (first,) = cgroup.processes(cgroup.detect(), group)
    assert all(name.startswith("pipe:") for name in _leads_to(first)), _leads_to(first)
    assert os.stat("/dev/null").st_uid not in OTHERS
    await node.emptied()


@pytest.mark.parametrize("handler", ["crun", "runc"])
async def test_a_score_of_zero_is_not_the_daemons(node: Node, handler: str) -> None:
    """A daemon that is to be killed last must not start containers that are."""
    Path(f"/proc/{node.server.process.pid}/oom_score_adj").write_text("300")
    pod = await node.pod(handler=handler)
    container = await pod.run()
    answer = await pod.exec(container, "cat", "/proc/1/oom_score_adj", "/proc/self/oom_score_adj")
    assert answer.stdout == b"0\n0\n"


async def test_a_command_has_the_score_of_an_update(node: Node) -> None:
    """With crun: runc gives commands the score that the container began with."""
    pod = await node.pod(handler="crun")
    container = await pod.run(linux=api.LinuxContainerConfig(resources=api.LinuxContainerResources(oom_score_adj=400)))
    update = api.UpdateContainerResourcesRequest(
        container_id=container, linux=api.LinuxContainerResources(oom_score_adj=500)
    )
    await pod.cri.call(pod.cri.runtime.UpdateContainerResources, update)
    answer = await pod.exec(container, "cat", "/proc/self/oom_score_adj")
    assert answer.stdout == b"500\n"
