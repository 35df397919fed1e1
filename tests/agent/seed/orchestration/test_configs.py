"""Sandbox and container configs, names in the pod, identity."""

from __future__ import annotations

import pytest

from podwright.agent.seed.orchestration.container import ContainerInputs, container_config
from podwright.agent.seed.orchestration.identity import container_hash
from podwright.agent.seed.orchestration.names_in_pod import dns_config, etc_hosts, parse_resolv_conf
from podwright.agent.seed.orchestration.sandbox import sandbox_config
from podwright.agent.seed.orchestration.security import ImageUser
from podwright.cri.v1 import api_pb2 as api
from tests.agent.seed.build import context


def test_sandbox_config() -> None:
    pod = context(
        "securityContext: {sysctls: [{name: kernel/shm_rmid_forced, value: '1'}]}",
        metadata="labels: {app: web}, annotations: {a: b}, namespace: ns",
        container="ports: [{containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1, protocol: UDP}]",
    )
    config = sandbox_config(pod, 2)
    assert config.metadata == api.PodSandboxMetadata(name="p", namespace="ns", uid="u-1", attempt=2)
    assert config.labels == {
        "app": "web",
        "io.kubernetes.pod.name": "p",
        "io.kubernetes.pod.namespace": "ns",
        "io.kubernetes.pod.uid": "u-1",
    }
    assert config.annotations == {"a": "b"}
    assert config.log_directory == "/logs/ns_p_u-1"
    assert config.hostname == "p"
    assert config.linux.sysctls == {"kernel.shm_rmid_forced": "1"}
    (port,) = config.port_mappings
    assert (port.protocol, port.container_port, port.host_port, port.host_ip) == (api.UDP, 80, 8080, "127.0.0.1")


def test_on_the_hosts_network_nothing_is_named_or_mapped() -> None:
    config = sandbox_config(context("hostNetwork: true", container="ports: [{containerPort: 80}]"), 0)
    assert config.hostname == ""
    assert not config.port_mappings


def test_ports_of_plain_init_containers_are_not_mapped_those_of_sidecars_are() -> None:
    inits = (
        "initContainers: [{name: i, image: a, ports: [{containerPort: 1, hostPort: 1}]}, "
        "{name: s, image: a, restartPolicy: Always, ports: [{containerPort: 2, hostPort: 2}]}]"
    )
    assert [port.host_port for port in sandbox_config(context(inits), 0).port_mappings] == [2]


@pytest.mark.parametrize(
    ("name", "signal"), [("SIGUSR1", api.SIGNAL_SIGUSR1), ("SIGRTMIN+3", api.SIGNAL_SIGRTMINPLUS3)]
)
def test_container_config(name: str, signal: api.Signal) -> None:
    pod = context(
        "os: {name: linux}",
        container="command: [a, $(V)], args: ['$(V)x'], env: [{name: V, value: v}], workingDir: /w, tty: true, "
        f"ports: [{{containerPort: 80}}], lifecycle: {{stopSignal: {name}, preStop: {{exec: {{command: [x]}}}}}}",
    )
    inputs = ContainerInputs(attempt=3, image_ref="sha256:1", image_user=ImageUser(), pod_ips=("10.0.0.5",), mounts=())
    config = container_config(pod, pod.pod.spec.containers[0], inputs)
    assert (list(config.command), list(config.args)) == (["a", "v"], ["vx"])
    assert [(item.key, item.value) for item in config.envs] == [("V", b"v")]
    assert config.metadata == api.ContainerMetadata(name="c", attempt=3)
    assert (config.image.image, config.image.user_specified_image) == ("sha256:1", "busybox:1")
    assert (config.log_path, config.working_dir, config.tty) == ("c/3.log", "/w", True)
    assert config.stop_signal == signal
    assert config.labels["io.kubernetes.container.name"] == "c"
    assert config.annotations["io.kubernetes.container.restartCount"] == "3"
    assert config.annotations["io.kubernetes.pod.terminationGracePeriod"] == "30"
    assert "preStopHandler" in " ".join(config.annotations)


def test_the_hash_depends_on_name_and_image_alone() -> None:
    first, second = context(), context(container="args: [a]")
    other = context(container="").bundle.pod.spec.containers[0]
    assert container_hash(first.pod.spec.containers[0]) == container_hash(second.pod.spec.containers[0])
    assert container_hash(other) == container_hash(first.pod.spec.containers[0])


@pytest.mark.parametrize(
    ("spec", "servers", "searches", "options"),
    [
        ("", ["192.0.2.53"], ["example.org"], ["ndots:2", "edns0"]),
        ("dnsPolicy: Default", ["192.0.2.53"], ["example.org"], ["ndots:2", "edns0"]),
        ("dnsPolicy: 'None', dnsConfig: {nameservers: [192.0.2.1]}", ["192.0.2.1"], [], []),
        (
            "dnsConfig: {nameservers: [192.0.2.1], searches: [a.b], options: [{name: ndots, value: '5'}]}",
            ["192.0.2.53", "192.0.2.1"],
            ["example.org", "a.b"],
            ["ndots:5", "edns0"],
        ),
    ],
)
def test_dns(spec: str, servers: list[str], searches: list[str], options: list[str]) -> None:
    config = dns_config(context(spec))
    assert [list(config.servers), list(config.searches), list(config.options)] == [servers, searches, options]


def test_resolv_conf_is_read_as_the_c_library_does() -> None:
    text = "# comment\nsearch a\nnameserver 1.1.1.1 extra\nsearch b c ; d\n\nnameserver\noptions x y\nsortlist z\n"
    found = parse_resolv_conf(text)
    assert (found.servers, found.searches, found.options) == (("1.1.1.1",), ("b", "c"), ("x", "y"))


def test_hosts_of_a_pod() -> None:
    pod = context("hostname: web, subdomain: sub, hostAliases: [{ip: 192.0.2.1, hostnames: [a, b]}]")
    lines = etc_hosts(pod, ("10.0.0.5",)).splitlines()
    assert "127.0.0.1\tlocalhost" in lines
    assert "10.0.0.5\tweb.sub.default.svc.cluster.local\tweb" in lines
    assert "192.0.2.1\ta b" in lines


def test_hosts_on_the_hosts_network_are_the_hosts() -> None:
    assert "192.0.2.9 printer" in etc_hosts(context("hostNetwork: true"), ())
