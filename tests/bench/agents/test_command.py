"""How a node agent is started."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from podwright.agent.config.command_line import parse_command_line
from podwright.agent.config.loading import load
from podwright.bench.agents.command import Site, command_line, has_placeholders, kubelet_configuration
from podwright.bench.agents.program import describe_agent, find_program, free_ports
from podwright.errors import FailedPrecondition

SITE = Site(node="n", folder="/f", endpoint="unix:///s", cgroup="/c", pods_port=1, server_port=2)
FLAGS = ("--config=/f/kubelet.json", "--root-dir=/f/root", "--cert-dir=/f/root/pki", "--hostname-override=n")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("kubelet",), ("kubelet", *FLAGS)),
        (("podwright", "agent"), ("podwright", "agent", *FLAGS)),
        (("kubelet", "--v=2"), ("kubelet", "--v=2", *FLAGS)),
        (("a", "--x={y}"), ("a", "--x={y}", *FLAGS)),
        (("a", "{manifests}"), ("a", "/f/manifests")),
        (("a", "{endpoint}:{port}", "{{x}}"), ("a", "unix:///s:1", "{{x}}")),
        (
            ("a", "{config}", "{root}", "{logs}", "{cgroup}", "{node}"),
            ("a", "/f/kubelet.json", "/f/root", "/f/logs", "/c", "n"),
        ),
    ],
    ids=str,
)
def test_placeholders_are_filled_in_or_a_kubelets_flags_are_added(
    command: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert command_line(command, SITE) == expected
    assert has_placeholders(command) == (FLAGS[0] not in expected)


def test_our_own_agent_reads_the_configuration_and_the_flags(tmp_path: Path) -> None:
    """Strictly: an unknown field or a value that makes no sense would be an error."""
    config = tmp_path / "kubelet.json"
    config.write_bytes(msgspec.json.encode(kubelet_configuration(SITE)))
    _, *flags = command_line(("kubelet",), SITE)
    given = [flag.replace(SITE.config, str(config)) for flag in flags]
    document = load(parse_command_line(given), unified_cgroups=False).document
    assert document["staticPodPath"] == "/f/manifests"
    assert document["readOnlyPort"] == 1
    assert document["cgroupRoot"] == "/c"
    assert document["enforceNodeAllocatable"] == ["none"]


def test_a_program_that_is_nowhere_is_named() -> None:
    with pytest.raises(FailedPrecondition, match="no-such-agent is not on the PATH"):
        find_program(("no-such-agent", "x"))


async def test_an_agent_is_described_with_its_version() -> None:
    assert (await describe_agent(("podwright", "agent"))).startswith("podwright agent (Kubernetes v1.")
    assert await describe_agent(("false",)) == "false"
    assert await describe_agent(("true", "{port}")) == "true '{port}'"


def test_free_ports_differ() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert min(ports) > 0
