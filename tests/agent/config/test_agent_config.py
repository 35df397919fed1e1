"""AgentConfig: units, defaults, and values that only conversion finds wrong."""

from __future__ import annotations

import os

import pytest

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.config.command_line import parse_command_line
from podwright.agent.config.loading import load
from podwright.agent.config.machine_sections import MemoryReservation
from podwright.agent.config.node_sections import ConfiguredTaint
from podwright.agent.config.pod_sections import PodSection
from podwright.errors import InvalidArgument


def _config(*arguments: str) -> AgentConfig:
    return load(parse_command_line(arguments), unified_cgroups=True).config


def test_defaults_are_those_of_the_kubelet() -> None:
    config = AgentConfig()
    assert config.pods.sync_frequency_s == 60.0
    assert config.pods.max_restart_back_off_s == 300.0
    assert config.container_logs.max_size_bytes == 10 * 1024**2
    assert config.cgroups.cpu_cfs_quota_period_s == 0.1
    assert config.process.root_dir == "/var/lib/kubelet"
    assert config.server.healthz_port == 10248
    assert not config.runtime.embedded
    assert config.feature_gates["KubeletCrashLoopBackOffMax"]


def test_a_part_can_be_given_alone() -> None:
    config = AgentConfig(pods=PodSection(max_pods=3))
    assert (config.pods.max_pods, config.pods.sync_frequency_s) == (3, 60.0)


def test_a_relative_root_begins_at_the_working_directory() -> None:
    assert _config("--root-dir=kubelet").process.root_dir == f"{os.getcwd()}/kubelet"


def test_nothing_can_be_changed() -> None:
    config = AgentConfig()
    with pytest.raises(AttributeError):
        config.pods.max_pods = 3  # type: ignore[misc] # what is tested
    with pytest.raises(TypeError):
        config.node.labels["a"] = "b"  # type: ignore[index] # what is tested


def test_values_are_converted() -> None:
    config = _config(
        "--seccomp-default",
        "--node-ip=10.0.0.1, fd00::1",
        "--kube-reserved=cpu=100m,memory=1Ki",
        "--reserved-memory=1:memory=2",
        "--register-with-taints=a=b:NoSchedule",
        "--container-log-max-size=1Ki",
        "--node-labels=a=b",
    )
    assert config.pods.seccomp_default
    assert config.node.ips == ("10.0.0.1", "fd00::1")
    assert config.reserved.kube_nano == {"cpu": 10**8, "memory": 1024 * 10**9}
    assert config.reserved.memory == (MemoryReservation(numa_node=1, limits_nano={"memory": 2 * 10**9}),)
    assert config.node.taints == (ConfiguredTaint(key="a", value="b", effect="NoSchedule"),)
    assert config.container_logs.max_size_bytes == 1024
    assert config.node.labels == {"a": "b"}


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("--container-log-max-size=ten", "containerLogMaxSize: 'ten' is not a quantity"),
        ("--system-reserved=cpu=some", "systemReserved: 'some' is not a quantity"),
        ("--node-ip=node1", "--node-ip: 'node1' is not an IP address"),
    ],
)
def test_what_cannot_be_converted_names_its_setting(argument: str, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        _config(argument)
