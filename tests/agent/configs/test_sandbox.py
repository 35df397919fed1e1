"""A sandbox's whole message, as a kubelet sends it for the same pod."""

from __future__ import annotations

import msgspec
import pytest

from podwright.agent.configs.namespaces import PodUserNamespace
from podwright.agent.configs.port_mappings import port_mappings
from podwright.agent.configs.resolv_conf import Resolver
from podwright.agent.configs.sandbox import SandboxConfigInputs, sandbox_config
from podwright.agent.configs.sysctls import dotted
from podwright.cri.v1 import api_pb2 as api
from podwright.k8s.objects import (
    ContainerPort,
    PodSecurityContext,
    ResourceRequirements,
    SELinuxOptions,
    Sysctl,
)
from tests.agent.configs.build import facts, settings
from tests.agent.fakes.pods import container, pod

INPUTS = SandboxConfigInputs(
    attempt=2,
    facts=facts(),
    settings=settings(),
    host_resolver=Resolver(searches=("example.com",)),
    cgroup_parent="/kubepods/burstable/poduid-web",
)


def test_a_usual_pod() -> None:
    web = container(
        ports=(ContainerPort(container_port=80, host_port=8080, protocol="TCP"),),
        resources=ResourceRequirements(requests={"cpu": "100m"}, limits={"memory": "128Mi"}),
    )
    of = pod(
        containers=(web,),
        labels={"app": "web"},
        dns_policy="ClusterFirst",
        security_context=PodSecurityContext(fs_group=5, sysctls=(Sysctl(name="net/core/somaxconn", value="9"),)),
    )
    config, warnings = sandbox_config(of, INPUTS)
    assert config == api.PodSandboxConfig(
        metadata=api.PodSandboxMetadata(name="web", namespace="default", uid="uid-web", attempt=2),
        hostname="web",
        log_directory="/var/log/pods/default_web_uid-web",
        dns_config=api.DNSConfig(
            servers=["10.96.0.10"],
            searches=["default.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.com"],
            options=["ndots:5"],
        ),
        port_mappings=[api.PortMapping(protocol=api.Protocol.TCP, container_port=80, host_port=8080)],
        labels={
            "app": "web",
            "io.kubernetes.pod.name": "web",
            "io.kubernetes.pod.namespace": "default",
            "io.kubernetes.pod.uid": "uid-web",
        },
        annotations={"kubernetes.io/config.source": "api"},
        linux=api.LinuxPodSandboxConfig(
            cgroup_parent="/kubepods/burstable/poduid-web",
            sysctls={"net.core.somaxconn": "9"},
            overhead=api.LinuxContainerResources(),
            resources=api.LinuxContainerResources(cpu_shares=102, cpu_period=100_000, memory_limit_in_bytes=128 << 20),
            security_context=api.LinuxSandboxSecurityContext(
                namespace_options=api.NamespaceOption(
                    network=api.NamespaceMode.POD,
                    pid=api.NamespaceMode.CONTAINER,
                    ipc=api.NamespaceMode.POD,
                    userns_options=api.UserNamespace(mode=api.NamespaceMode.NODE),
                ),
                supplemental_groups=[5],
                seccomp=api.SecurityProfile(profile_type=api.SecurityProfile.RuntimeDefault),
            ),
        ),
    )
    assert not warnings


def test_a_pod_that_has_much_of_the_hosts() -> None:
    of = pod(
        dns_policy="ClusterFirst",
        host_network=True,
        host_pid=True,
        host_ipc=True,
        security_context=PodSecurityContext(
            run_as_user=1, run_as_group=2, supplemental_groups=(3,), se_linux_options=SELinuxOptions(level="s0:c1")
        ),
    )
    config, _ = sandbox_config(of, INPUTS)
    assert config.hostname == ""
    assert list(config.dns_config.searches) == ["example.com"]
    security = config.linux.security_context
    assert (security.run_as_user.value, security.run_as_group.value) == (1, 2)
    assert security.selinux_options.level == "s0:c1"
    assert security.namespace_options.network == api.NamespaceMode.NODE


def test_users_of_its_own() -> None:
    inputs = msgspec.structs.replace(INPUTS, users=PodUserNamespace(first_id=65536, length=65536))
    config, _ = sandbox_config(pod(host_users=False), inputs)
    options = config.linux.security_context.namespace_options.userns_options
    assert (options.mode, options.uids[0].host_id) == (api.NamespaceMode.POD, 65536)


def test_ports_are_those_of_regular_containers_once_each() -> None:
    ports = (
        ContainerPort(container_port=53, protocol="UDP"),
        ContainerPort(container_port=53, protocol="TCP"),
        ContainerPort(container_port=53, protocol="TCP"),
        ContainerPort(name="web", container_port=80, host_ip="127.0.0.1"),
        ContainerPort(name="web", container_port=81),
        ContainerPort(container_port=9, protocol="SCTP", host_ip="::1", host_port=9),
    )
    init = container("init", ports=ports, restart_policy="Always")
    assert [
        (mapping.protocol, mapping.container_port, mapping.host_port, mapping.host_ip)
        for mapping in port_mappings(pod(containers=(container(ports=ports),), init_containers=(init,)))
    ] == [(1, 53, 0, ""), (0, 53, 0, ""), (0, 80, 0, "127.0.0.1"), (2, 9, 9, "::1")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("net.ipv4.tcp_syncookies", "net.ipv4.tcp_syncookies"),
        ("net/ipv4/tcp_syncookies", "net.ipv4.tcp_syncookies"),
        ("net/ipv4/conf/eth0.1/forwarding", "net.ipv4.conf.eth0/1.forwarding"),
        ("net.ipv4.conf.eth0/1.forwarding", "net.ipv4.conf.eth0/1.forwarding"),
        ("kernel", "kernel"),
    ],
)
def test_sysctl_names(name: str, expected: str) -> None:
    assert dotted(name) == expected
