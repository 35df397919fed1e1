"""What the builder makes, on real runtimes: the pod that the API describes is the pod that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from podwright.agent.configs.builder import BuilderPorts, ConfigBuilder
from podwright.agent.configs.node import NodeSettings, read_facts
from podwright.agent.images.ensured import EnsuredImage
from podwright.agent.node.machine import read_machine
from podwright.agent.resources.cgroups import CgroupTree
from podwright.agent.resources.id_range import IdRange
from podwright.agent.resources.limits import CgroupLimits, LimitRules
from podwright.agent.resources.userns import UserNamespaceAllocator
from podwright.agent.runtime.client import ImagesClient, RuntimeClient
from podwright.agent.runtime.records import HandlerFeatures, ObservedPod, SandboxStatus
from podwright.cri.client import CriClient
from podwright.k8s.objects import (
    EnvVar,
    EnvVarSource,
    HostAlias,
    ObjectFieldSelector,
    Pod,
    PodDNSConfig,
    PodSecurityContext,
    ResourceFieldSelector,
    ResourceRequirements,
    SecurityContext,
    VolumeMount,
)
from podwright.linux import cgroup
from tests.agent.configs.build import Mounted
from tests.agent.configs.test_builder import Fakes
from tests.agent.configs.test_objects import Stored
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import container, pod
from tests.harness.cgroups import driver_of, names_in
from tests.harness.podwright import Podwright
from tests.harness.scratch import Part, Scratch
from tests.harness.server import CriServer

IDS = IdRange(first=65536 * 100, count=65536 * 10)
SCRIPT = r"""
echo "env $GREETING $LIMIT $ADDRESS"
echo "host $(hostname)"
grep 'alias.example' /etc/hosts
grep 'search' /etc/resolv.conf
cat /data/file
id
cat /proc/1/oom_score_adj
grep NoNewPrivs /proc/self/status
echo 'last words' > /dev/termination-log
"""


def described(image: str) -> Pod:
    main = container(
        image=image,
        command=("sh", "-c", "sleep 60", "$(GREETING)"),
        env=(
            EnvVar(name="NAME", value_from=EnvVarSource(field_ref=ObjectFieldSelector(field_path="metadata.name"))),
            EnvVar(name="GREETING", value="hello-$(NAME)"),
            EnvVar(
                name="LIMIT",
                value_from=EnvVarSource(
                    resource_field_ref=ResourceFieldSelector(resource="limits.memory", divisor="1Mi")
                ),
            ),
            EnvVar(name="ADDRESS", value_from=EnvVarSource(field_ref=ObjectFieldSelector(field_path="status.podIP"))),
        ),
        resources=ResourceRequirements(requests={"cpu": "100m"}, limits={"memory": "64Mi", "cpu": "500m"}),
        volume_mounts=(VolumeMount(name="data", mount_path="/data", read_only=True),),
        termination_message_path="/dev/termination-log",
        termination_message_policy="File",
        security_context=SecurityContext(run_as_user=1000, allow_privilege_escalation=False),
    )
    return pod(
        "configured",
        containers=(main,),
        hostname="own-name",
        host_aliases=(HostAlias(ip="192.0.2.77", hostnames=("alias.example",)),),
        dns_policy="None",
        dns_config=PodDNSConfig(nameservers=("192.0.2.53",), searches=("search.example",)),
        security_context=PodSecurityContext(fs_group=4321),
    )


@asynccontextmanager
async def tree_below(part: Part) -> AsyncIterator[CgroupTree]:
    """The cgroups of pods in a part; gone afterwards."""
    driver, names = driver_of(part), names_in(part)
    await driver.make(names.top, CgroupLimits())
    try:
        tree = CgroupTree(cgroup.detect(), driver, names, LimitRules(), CgroupLimits(), RecordedEvents())
        await tree.ensure_root()
        yield tree
    finally:
        await driver.remove(names.top)


def builder(directory: Path, tree: CgroupTree, *, user_namespaces: bool = False) -> ConfigBuilder:
    (directory / "data").mkdir()
    (directory / "data" / "file").write_text("from the volume\n")
    features = HandlerFeatures(name="", user_namespaces=user_namespaces)
    fakes = Fakes({"data": Mounted(path=str(directory / "data"))}, features)
    ports = BuilderPorts(
        volumes=fakes,
        subpaths=fakes,
        objects=Stored(),
        cgroups=tree,
        users=UserNamespaceAllocator(f"{directory}/pods", IDS, 10),
        handlers=fakes,
        events=RecordedEvents(),
    )
    facts = read_facts("node1", read_machine(), ("192.0.2.10",), {"cpu": "2", "memory": "4Gi"})
    return ConfigBuilder(ports, facts, NodeSettings(root=str(directory), log_root=f"{directory}/logs"))


async def test_a_pod_is_what_it_says(any_server: CriServer, scratch: Scratch, image: str) -> None:
    part = scratch.part("configs")
    async with any_server.client() as client, tree_below(part) as tree:
        await ImagesClient(client).pull(image, None, None)
        of, configs = described(image), builder(part.directory, tree)
        async with started(client, tree, configs, of, part.directory) as (container_id, sandbox):
            result = await RuntimeClient(client).exec_sync(container_id, ["sh", "-c", SCRIPT], 30)
            lines = result.stdout.decode().splitlines()
            assert lines[:5] == [
                f"env hello-configured 64 {sandbox.ips[0]}",
                "host own-name",
                "192.0.2.77\talias.example",
                "search search.example",
                "from the volume",
            ]
            assert "uid=1000" in lines[5]
            assert "4321" in lines[5]
            assert lines[6] == "999"
            assert lines[7].split() == ["NoNewPrivs:", "1"]
            # The container is in the pod's cgroup, not beside it.
            assert cgroup.processes(cgroup.detect(), tree.parent_of(of))
            (message,) = (part.directory / "pods" / of.metadata.uid / "containers" / "main").iterdir()
            assert message.read_text() == "last words\n"


@pytest.mark.root
async def test_users_of_its_own(podwright_server: Podwright, scratch: Scratch, image: str) -> None:
    """Debian's containerd is too old for them."""
    part = scratch.part("configs")
    main = container(image=image, command=("sleep", "60"), termination_message_path="/dev/termination-log")
    of = pod("userns", containers=(main,), host_users=False)
    async with podwright_server.client() as client, tree_below(part) as tree:
        handler = (await RuntimeClient(client).state()).handler("")
        assert handler is not None
        configs = builder(part.directory, tree, user_namespaces=handler.user_namespaces)
        await ImagesClient(client).pull(image, None, None)
        async with started(client, tree, configs, of, part.directory) as (container_id, _):
            script = (
                "cat /proc/self/uid_map; tail -n 1 /etc/hosts; stat -c %u /etc/hosts; echo x > /dev/termination-log"
            )
            result = await RuntimeClient(client).exec_sync(container_id, ["sh", "-c", script], 30)
            lines = result.stdout.decode().splitlines()
            assert lines[0].split() == ["0", str(IDS.first), "65536"]
            assert lines[1].endswith("\tuserns")
            assert lines[2] == "0"  # the mount is id-mapped: root's file is the pod's root's
            (message,) = (part.directory / "pods" / "uid-userns" / "containers" / "main").iterdir()
            assert message.read_text() == "x\n"


@asynccontextmanager
async def started(
    client: CriClient, tree: CgroupTree, configs: ConfigBuilder, of: Pod, directory: Path
) -> AsyncIterator[tuple[str, SandboxStatus]]:
    """The pod's one container, running; nothing of the pod is left afterwards."""
    runtime, uid, main = RuntimeClient(client), of.metadata.uid, of.spec.containers[0]
    (directory / "pods" / uid).mkdir(parents=True)
    await tree.ensure(of)
    sandbox_config = configs.sandbox(of, 0)
    Path(sandbox_config.log_directory).mkdir(parents=True)
    sandbox_id = await runtime.run_sandbox(sandbox_config, "")
    try:
        status, _ = await runtime.sandbox_status(sandbox_id)
        seen = ObservedPod(uid=uid, sandboxes=(status,))
        found = await ImagesClient(client).image(main.image)
        assert found is not None
        config, _ = await configs.container(of, main, EnsuredImage(reference=main.image, image=found), seen, 0)
        container_id = await runtime.create_container(sandbox_id, config, sandbox_config)
        await runtime.start_container(container_id)
        yield container_id, status
    finally:
        await runtime.stop_sandbox(sandbox_id)
        await runtime.remove_sandbox(sandbox_id)
        await tree.remove(uid)
    assert tree.found() == frozenset()
