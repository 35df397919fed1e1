"""What the builder makes, on real runtimes: the pod that the API describes is the pod that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from podwright.agent.configs.builder import BuilderPorts, ConfigBuilder
from podwright.agent.configs.node import NodeSettings, look
from podwright.agent.resources import cgroupfs
from podwright.agent.resources.cgroup_names import names_of
from podwright.agent.resources.cgroups import CgroupTree
from podwright.agent.resources.drivers import CgroupfsDriver
from podwright.agent.resources.limits import CgroupLimits, LimitRules
from podwright.agent.runtime.client import ImagesClient, RuntimeClient
from podwright.agent.runtime.records import HandlerFeatures, ObservedPod
from podwright.agent.workers.ports import EnsuredImage
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
from tests.harness.scratch import Scratch
from tests.harness.server import CriServer

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
async def tree_below(root: str) -> AsyncIterator[CgroupTree]:
    """The cgroups of pods below a root that is gone afterwards."""
    host = cgroup.detect()
    cgroupfs.make(host, root, CgroupLimits())
    try:
        tree = CgroupTree(
            host, CgroupfsDriver(host), names_of("cgroupfs", root), LimitRules(), CgroupLimits(), RecordedEvents()
        )
        await tree.ensure_root()
        yield tree
    finally:
        cgroupfs.remove(host, root)


def builder(directory: Path, tree: CgroupTree) -> ConfigBuilder:
    (directory / "data").mkdir()
    (directory / "data" / "file").write_text("from the volume\n")
    fakes = Fakes({"data": Mounted(path=str(directory / "data"))}, HandlerFeatures(name=""))
    ports = BuilderPorts(
        volumes=fakes,
        subpaths=fakes,
        objects=Stored(),
        cgroups=tree,
        users=fakes,
        handlers=fakes,
        events=RecordedEvents(),
    )
    facts = look("node1", ("192.0.2.10",), {"cpu": "2", "memory": "4Gi"})
    return ConfigBuilder(ports, facts, NodeSettings(root=str(directory), log_root=f"{directory}/logs"))


async def test_a_pod_is_what_it_says(any_server: CriServer, scratch: Scratch, image: str) -> None:
    part = scratch.part("configs")
    async with any_server.client() as client, tree_below(part.cgroup_parent) as tree:
        await ImagesClient(client).pull(image, None, None)
        await _check(client, tree, builder(part.directory, tree), described(image), part.directory)


async def _check(client: CriClient, tree: CgroupTree, configs: ConfigBuilder, of: Pod, directory: Path) -> None:
    runtime, uid = RuntimeClient(client), of.metadata.uid
    (directory / "pods" / uid).mkdir(parents=True)
    await tree.ensure(of)
    sandbox_config = configs.sandbox(of, 0)
    Path(sandbox_config.log_directory).mkdir(parents=True)
    sandbox_id = await runtime.run_sandbox(sandbox_config, "")
    try:
        status, _ = await runtime.sandbox_status(sandbox_id)
        seen = ObservedPod(uid=uid, sandboxes=(status,))
        main = of.spec.containers[0]
        found = await ImagesClient(client).image(main.image)
        assert found is not None
        config, _ = await configs.container(of, main, EnsuredImage(reference=main.image, image=found), seen, 0)
        container_id = await runtime.create_container(sandbox_id, config, sandbox_config)
        await runtime.start_container(container_id)
        result = await runtime.exec_sync(container_id, ["sh", "-c", SCRIPT, "sh"], 30)
        lines = result.stdout.decode().splitlines()
        assert lines[0] == f"env hello-configured 64 {status.ips[0]}"
        assert lines[1] == "host own-name"
        assert lines[2] == "192.0.2.77\talias.example"
        assert lines[3] == "search search.example"
        assert lines[4] == "from the volume"
        assert "uid=1000" in lines[5]
        assert "4321" in lines[5]
        assert lines[6] == "999"
        assert lines[7].split() == ["NoNewPrivs:", "1"]
        processes = cgroup.processes(cgroup.detect(), tree.parent_of(of))
        assert processes  # the container is in the pod's cgroup, not beside it
        (message,) = (directory / "pods" / uid / "containers" / "main").iterdir()
        assert message.read_text() == "last words\n"
    finally:
        await runtime.stop_sandbox(sandbox_id)
        await runtime.remove_sandbox(sandbox_id)
        await tree.remove(uid)
    assert tree.found() == frozenset()
