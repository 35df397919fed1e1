"""The builder with real files: what it sends, what it makes, and that a failure leaves nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from podwright.agent.configs import files
from podwright.agent.configs.builder import BuilderPorts, ConfigBuilder
from podwright.agent.configs.namespaces import PodUserNamespace
from podwright.agent.configs.volumes import VolumeContent
from podwright.agent.images.ensured import EnsuredImage
from podwright.agent.pods.reasons import CREATE_CONTAINER_CONFIG_ERROR, ContainerFailure
from podwright.agent.runtime.records import HandlerFeatures, ImageStatus
from podwright.agent.workers.ports import Configs
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument, NotFound
from podwright.k8s.objects import (
    Container,
    EnvVar,
    EnvVarSource,
    EphemeralContainer,
    FileKeySelector,
    ObjectFieldSelector,
    Pod,
    PodSecurityContext,
    SecretKeySelector,
    SecurityContext,
    VolumeMount,
)
from tests.agent.configs.build import Mounted, facts, settings
from tests.agent.configs.test_objects import Stored
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.observed import observed, running, sandbox
from tests.agent.fakes.pods import container, pod

IMAGE = EnsuredImage(reference="sha256:abc", image=ImageStatus(id="sha256:abc", uid=7))


class Fakes:
    """All ports, of which only what a test names does anything."""

    def __init__(self, volumes: Mapping[str, VolumeContent], features: HandlerFeatures | None) -> None:
        self._volumes = volumes
        self._features = features
        self.bound: list[str] = []

    def mounted(self, uid: str) -> Mapping[str, VolumeContent]:
        return self._volumes

    async def bind_subpath(self, pod: Pod, volume: str, subpath: str, *, container: str, index: int) -> str:
        if subpath == "bad":
            raise FailedPrecondition("failed to prepare subPath")
        target = f"/bound/{volume}/{container}/{index}"
        self.bound.append(target)
        return target

    def parent_of(self, pod: Pod) -> str:
        return "/kubepods/besteffort/podx"

    def of(self, pod: Pod) -> PodUserNamespace:
        return PodUserNamespace(first_id=65536, length=65536)

    def features_of(self, pod: Pod) -> HandlerFeatures | None:
        return self._features


class Bench:
    """A builder in a directory of its own."""

    def __init__(
        self,
        directory: Path,
        volumes: Mapping[str, VolumeContent] | None = None,
        features: HandlerFeatures | None = None,
        **over: Any,
    ) -> None:
        self.directory = directory
        self.fakes = Fakes(volumes or {}, features)
        self.events = RecordedEvents()
        resolv_conf = directory / "resolv.conf"
        if not resolv_conf.exists():
            resolv_conf.write_text("nameserver 192.0.2.53\nsearch example.com\n")
        ports = BuilderPorts(
            volumes=self.fakes,
            subpaths=self.fakes,
            objects=Stored(),
            cgroups=self.fakes,
            users=self.fakes,
            handlers=self.fakes,
            events=self.events,
        )
        changed = {"root": str(directory), "log_root": f"{directory}/logs", "resolver_config": str(resolv_conf)}
        self.configs: Configs = ConfigBuilder(ports, facts(), settings(**{**changed, **over}))
        self.pod_directory = directory / "pods" / "uid-web"
        self.pod_directory.mkdir(parents=True)

    async def container(
        self, which: Container | EphemeralContainer, of: Pod | None = None
    ) -> tuple[api.ContainerConfig, Any]:
        return await self.configs.container(of or pod(), which, IMAGE, observed(running()), 0)

    def left(self) -> set[str]:
        return {path.name for path in self.pod_directory.rglob("*") if not path.is_dir()}


async def test_files_are_made_and_mounted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"data": Mounted(path="/host/data")})
    which = container(
        env=(EnvVar(name="IP", value_from=EnvVarSource(field_ref=ObjectFieldSelector(field_path="status.podIP"))),),
        termination_message_path="/dev/termination-log",
        volume_mounts=(VolumeMount(name="data", mount_path="/data", sub_path="a"),),
    )
    config, undo = await bench.container(which)
    data, hosts, termination = config.mounts
    assert data.host_path == "/bound/data/main/0"
    assert (hosts.host_path, hosts.container_path) == (f"{bench.pod_directory}/etc-hosts", "/etc/hosts")
    assert Path(hosts.host_path).read_text().endswith("fe00::2\tip6-allrouters\n10.0.0.1\tweb\n")
    assert os.stat(hosts.host_path).st_mode & 0o7777 == 0o644
    assert termination.container_path == "/dev/termination-log"
    assert Path(termination.host_path).parent == bench.pod_directory / "containers" / "main"
    assert len(Path(termination.host_path).name) == 8
    for directory in (bench.pod_directory / "containers", bench.pod_directory / "containers" / "main"):
        assert os.stat(directory).st_mode & 0o7777 == 0o750
    assert os.stat(termination.host_path).st_mode & 0o7777 == 0o666
    assert (tmp_path / "logs" / "default_web_uid-web" / "main").is_dir()
    assert [(env.key, env.value) for env in config.envs] == [("IP", b"10.0.0.1")]
    assert config.linux.security_context.run_as_user.value == 7
    assert bench.fakes.bound == [data.host_path]
    await undo()
    await undo()
    assert bench.left() == {"etc-hosts"}


async def test_every_instance_has_a_termination_file_of_its_own(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    which = container(termination_message_path="/t")
    paths = {(await bench.container(which))[0].mounts[-1].host_path for _ in range(3)}
    assert len(paths) == 3


async def test_hosts_change_in_place(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.container(container())
    inode = os.stat(bench.pod_directory / "etc-hosts").st_ino
    seen = observed(sandboxes=(sandbox(ips=("10.0.0.99",)),))
    await bench.configs.container(pod(), container(), IMAGE, seen, 1)
    assert "10.0.0.99\tweb" in (bench.pod_directory / "etc-hosts").read_text()
    assert "10.0.0.1\t" not in (bench.pod_directory / "etc-hosts").read_text()
    assert os.stat(bench.pod_directory / "etc-hosts").st_ino == inode


async def test_hosts_of_a_pod_on_the_hosts_network(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    config, _ = await bench.container(container(), pod(host_network=True))
    own = Path("/etc/hosts").read_bytes()
    assert Path(config.mounts[0].host_path).read_bytes() == b"# Kubernetes-managed hosts file (host network).\n" + own


def _with(**fields: Any) -> Container:
    return container(termination_message_path="/t", **fields)


def _from(**source: Any) -> tuple[EnvVar, ...]:
    return (EnvVar(name="A", value_from=EnvVarSource(**source)),)


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (_with(env=_from(secret_key_ref=SecretKeySelector(name="x", key="k"))), 'secret "x" not found'),
        (
            _with(env=_from(secret_key_ref=SecretKeySelector(name="s1", key="no"))),
            "couldn't find key no in Secret default/s1",
        ),
        (
            _with(security_context=SecurityContext(run_as_non_root=True, run_as_user=0)),
            'container\'s runAsUser breaks non-root policy (pod: "web_default(uid-web)", container: main)',
        ),
        (
            _with(volume_mounts=(VolumeMount(name="no", mount_path="/x"),)),
            'cannot find volume "no" to mount into container "main"',
        ),
        (
            _with(
                volume_mounts=(
                    VolumeMount(name="data", mount_path="/x", sub_path="good"),
                    VolumeMount(name="data", mount_path="/y", sub_path="bad"),
                )
            ),
            "failed to prepare subPath",
        ),
        (
            _with(env=_from(file_key_ref=FileKeySelector(volume_name="no", path="f", key="k"))),
            'cannot find the volume "no" referenced by FileKeyRef',
        ),
    ],
)
async def test_a_failure_is_in_the_kubelets_words_and_leaves_nothing(
    tmp_path: Path, which: Container, message: str
) -> None:
    bench = Bench(tmp_path, {"data": Mounted(path="/host/data")})
    with pytest.raises(ContainerFailure) as caught:
        await bench.container(which)
    assert (caught.value.container, caught.value.reason) == ("main", CREATE_CONTAINER_CONFIG_ERROR)
    assert str(caught.value) == message
    assert bench.events.seen == []  # whoever starts the container records the failure, as any other
    assert bench.left() <= {"etc-hosts"}


async def test_a_full_disk_is_such_a_failure_and_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str, contents: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files, "_write_hosts", fail)
    with pytest.raises(ContainerFailure, match=r"cannot make \S+/etc-hosts: No space left on device"):
        await Bench(tmp_path).container(container())


async def test_a_directory_that_cannot_be_made_is_such_a_failure(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (tmp_path / "logs").write_text("in the way")
    with pytest.raises(ContainerFailure, match="logs"):
        await bench.container(container(termination_message_path="/t"))
    assert bench.left() <= {"etc-hosts"}


async def test_a_target_container(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    debug = EphemeralContainer(name="debug", image="i", target_container_name="main")
    config, _ = await bench.container(debug)
    assert config.linux.security_context.namespace_options.target_id == "main-0"
    with pytest.raises(ContainerFailure, match="unable to find target container none"):
        await bench.container(EphemeralContainer(name="debug", image="i", target_container_name="none"))


async def test_users_of_its_own_need_a_handler_for_them(tmp_path: Path) -> None:
    able = Bench(tmp_path, features=HandlerFeatures(name="", user_namespaces=True))
    of = pod(host_users=False)
    config, _ = await able.container(container(), of)
    assert config.mounts[0].uidMappings[0].host_id == 65536
    users = able.configs.sandbox(of, 0).linux.security_context.namespace_options.userns_options
    assert users.uids[0].length == 65536
    (tmp_path / "other").mkdir()
    unable = Bench(tmp_path / "other", features=HandlerFeatures(name="vm"))
    with pytest.raises(FailedPrecondition, match='RuntimeClass handler "vm" does not support user namespaces'):
        unable.configs.sandbox(of, 0)


def test_a_sandbox_reads_the_nodes_resolv_conf_each_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert list(bench.configs.sandbox(pod(dns_policy="Default"), 1).dns_config.servers) == ["192.0.2.53"]
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.54\n")
    assert list(bench.configs.sandbox(pod(dns_policy="Default"), 1).dns_config.servers) == ["192.0.2.54"]
    (tmp_path / "resolv.conf").write_text("nameserver\n")
    with pytest.raises(InvalidArgument, match="nameserver list is empty"):
        bench.configs.sandbox(pod(), 1)
    (tmp_path / "resolv.conf").unlink()
    with pytest.raises(FailedPrecondition, match=r"resolv.conf cannot be read"):
        bench.configs.sandbox(pod(), 1)


def test_events_about_dns(tmp_path: Path) -> None:
    bench = Bench(tmp_path, cluster_dns=())
    config = bench.configs.sandbox(pod(dns_policy="ClusterFirst"), 0)
    assert config.linux.cgroup_parent == "/kubepods/besteffort/podx"
    assert [(name, reason) for name, reason, _ in bench.events.seen] == [
        ("", "MissingClusterDNS"),
        ("web", "MissingClusterDNS"),
    ]


def test_groups_of_volumes(tmp_path: Path) -> None:
    volumes = {name: Mounted(path="/x", gid=group) for name, group in (("a", 5), ("b", 5), ("c", 6))}
    security = Bench(tmp_path, volumes).configs.sandbox(pod(), 0).linux.security_context
    assert list(security.supplemental_groups) == [5, 6]
    named = pod(security_context=PodSecurityContext(supplemental_groups=(6,), fs_group=1))
    (tmp_path / "other").mkdir()
    security = Bench(tmp_path / "other", volumes).configs.sandbox(named, 0).linux.security_context
    assert list(security.supplemental_groups) == [1, 5, 6]


def test_a_variable_from_a_volume(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "env").write_text("A='1'\nB='\u00e4'\n")
    (tmp_path / "v" / "out").symlink_to("/etc/passwd")
    assert files.read_variable(str(tmp_path / "v"), "env", "B") == "ä"
    with pytest.raises(NotFound, match="does not exist in its volume"):
        files.read_variable(str(tmp_path / "v"), "out", "root")
    with pytest.raises(NotFound):
        files.read_variable(str(tmp_path / "v"), "../secret", "B")
