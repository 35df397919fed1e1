"""What a plugin is given: environment, standard input, capability arguments."""

from __future__ import annotations

import json

import pytest

from podwright.errors import InvalidArgument
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import DnsConfig, PortMapping, Protocol, SandboxName
from podwright.runtime.network.bandwidth import INGRESS
from podwright.runtime.network.cni import calls
from podwright.runtime.network.cni.capabilities import capability_arguments, cni_args
from podwright.runtime.network.cni.config import parse
from podwright.runtime.network.request import NetworkRequest

REQUEST = NetworkRequest(
    sandbox_id=SandboxId("c0ffee"),
    name=SandboxName(name="web", namespace="default", uid="u-1"),
    netns="/run/netns/web",
    port_mappings=(
        PortMapping(container_port=80, host_port=8080, host_ip="127.0.0.1"),
        PortMapping(container_port=53, host_port=53, protocol=Protocol.UDP),
        PortMapping(container_port=9, host_port=0),
    ),
    dns=DnsConfig(servers=("192.0.2.53",), options=("ndots:5",)),
    annotations={INGRESS: "10M", "other": "text"},
    cgroup_parent="/kubepods/pod1",
)
TARGET = calls.CniTarget(
    container_id="c0ffee",
    netns="/run/netns/web",
    interface="eth0",
    args=cni_args(REQUEST),
    capability_args=capability_arguments(REQUEST),
)
NETWORK = parse(
    json.dumps(
        {
            "cniVersion": "1.0.0",
            "name": "net",
            "plugins": [
                {"type": "bridge", "name": "overridden", "ipam": {"type": "host-local"}},
                {
                    "type": "portmap",
                    "capabilities": {"portMappings": True, "dns": False, "bandwidth": True, "ipRanges": True},
                },
            ],
        }
    )
)


def test_environment() -> None:
    assert calls.environment("ADD", ("/opt/cni/bin", "/usr/lib/cni"), "/usr/sbin", TARGET) == {
        "GOMAXPROCS": "1",
        "PATH": "/usr/sbin",
        "CNI_COMMAND": "ADD",
        "CNI_PATH": "/opt/cni/bin:/usr/lib/cni",
        "CNI_CONTAINERID": "c0ffee",
        "CNI_NETNS": "/run/netns/web",
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;"
        "K8S_POD_INFRA_CONTAINER_ID=c0ffee;K8S_POD_UID=u-1",
    }
    assert calls.environment("STATUS", ("/a",), "/b") == {
        "GOMAXPROCS": "1",
        "PATH": "/b",
        "CNI_COMMAND": "STATUS",
        "CNI_PATH": "/a",
    }


def test_standard_input() -> None:
    first, second = NETWORK.plugins
    given_first = json.loads(calls.standard_input(NETWORK, first, target=TARGET))
    assert given_first == {"type": "bridge", "name": "net", "cniVersion": "1.0.0", "ipam": {"type": "host-local"}}
    previous = {"ips": [{"address": "10.0.0.5/8"}]}
    given_second = json.loads(calls.standard_input(NETWORK, second, target=TARGET, previous=previous))
    assert given_second["prevResult"] == {"cniVersion": "1.0.0", **previous}
    assert set(given_second["runtimeConfig"]) == {"portMappings", "bandwidth"}
    collected = json.loads(calls.standard_input(NETWORK, first, valid=[{"containerID": "a", "ifname": "eth0"}]))
    assert collected["cni.dev/valid-attachments"] == [{"containerID": "a", "ifname": "eth0"}]


def test_capability_arguments() -> None:
    assert capability_arguments(REQUEST) == {
        "portMappings": [
            {"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": "127.0.0.1"},
            {"hostPort": 53, "containerPort": 53, "protocol": "udp", "hostIP": ""},
        ],
        "bandwidth": {"ingressRate": 10_000_000, "ingressBurst": 4294967295},
        "dns": {"servers": ["192.0.2.53"], "searches": [], "options": ["ndots:5"]},
        "cgroupPath": "/kubepods/pod1",
        "io.kubernetes.cri.pod-annotations": {INGRESS: "10M", "other": "text"},
    }
    bare = NetworkRequest(sandbox_id=SandboxId("x"), name=REQUEST.name, netns="/n")
    assert capability_arguments(bare) == {}


@pytest.mark.parametrize("name", ["a;b", "a=b", "a\0b"])
def test_names_that_would_break_cni_args(name: str) -> None:
    request = NetworkRequest(
        sandbox_id=SandboxId("x"), name=SandboxName(name=name, namespace="n", uid="u"), netns="/n"
    )
    with pytest.raises(InvalidArgument, match="K8S_POD_NAME"):
        cni_args(request)
