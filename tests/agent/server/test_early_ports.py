"""Ports that are bound before the agent's modules are loaded."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.config.node_sections import ApiSection, ProcessSection, ServerSection
from podwright.agent.server.early_ports import EarlyPorts
from podwright.conformance.patience import patient
from podwright.errors import FailedPrecondition
from tools.ports import free_port

HERE = "127.0.0.1"
WAIT_S = patient(60.0)
# The agent as people start it, which waits for a line on its stdin before it loads the agent's modules.
PAUSED = """
import sys
class Pause:
    def find_spec(self, name, path=None, target=None):
        if name == "podwright.agent.app":
            sys.stdin.readline()
sys.meta_path.insert(0, Pause())
from podwright.__main__ import main
main()
"""


def config_of(port: int, process: ProcessSection | None = None, api: ApiSection | None = None) -> AgentConfig:
    server = ServerSection(address=HERE, port=port, healthz_port=0)
    return AgentConfig(server=server, process=process or ProcessSection(), api=api or ApiSection())


def accepts(port: int) -> bool:
    try:
        socket.create_connection((HERE, port), timeout=WAIT_S).close()
    except ConnectionRefusedError:
        return False
    return True


def test_connections_wait_until_the_port_is_taken() -> None:
    port = free_port()
    with contextlib.closing(EarlyPorts()) as ports:
        ports.bind(config_of(port))
        with socket.create_connection((HERE, port), timeout=WAIT_S) as client:
            with ports.take(HERE, port) as listening:
                listening.setblocking(True)
                accepted, address = listening.accept()
                accepted.close()
            assert address == client.getsockname()


def test_a_port_that_is_not_taken_is_refused_at_the_end() -> None:
    port = free_port()
    ports = EarlyPorts()
    ports.bind(config_of(port))
    assert accepts(port)
    ports.close()
    assert not accepts(port)
    with ports.take(HERE, port):  # it is bound anew
        assert accepts(port)


@pytest.mark.parametrize("port", ["port", "read_only_port", "healthz_port"])
def test_each_port_that_is_taken_by_another_is_an_error(port: str) -> None:
    with socket.create_server((HERE, 0)) as other, contextlib.closing(EarlyPorts()) as ports:
        off = {"port": 0, "read_only_port": 0, "healthz_port": 0, "enabled": port == "port"}
        server = ServerSection(address=HERE, healthz_address=HERE, **{**off, port: other.getsockname()[1]})
        with pytest.raises(FailedPrecondition, match="is another kubelet or agent running"):
            ports.bind(AgentConfig(server=server))


def test_an_agent_that_waits_for_its_turn_or_its_certificate_binds_nothing(tmp_path: Path) -> None:
    absent, there = tmp_path / "absent", tmp_path / "there"
    there.touch()
    port = free_port()
    for config, bound in (
        (config_of(port, process=ProcessSection(lock_file=str(there))), False),
        (config_of(port, api=ApiSection(kubeconfig=str(absent), bootstrap_kubeconfig=str(there))), False),
        (config_of(port, api=ApiSection(kubeconfig=str(there), bootstrap_kubeconfig=str(absent))), True),
    ):
        with contextlib.closing(EarlyPorts()) as ports:
            ports.bind(config)
            assert accepts(port) == bound


def test_an_agent_listens_before_its_modules_are_loaded_and_not_while_it_waits_for_a_runtime(tmp_path: Path) -> None:
    port = free_port()
    flags = {
        "address": HERE,
        "port": port,
        "healthz-port": 0,
        "read-only-port": 0,
        "fail-cgroupv1": "false",
        "fail-swap-on": "false",
        "root-dir": tmp_path / "root",
        "cert-dir": tmp_path / "pki",
        "agent-socket": tmp_path / "agent.sock",
        "container-runtime-endpoint": f"unix://{tmp_path / 'nobody.sock'}",
    }
    argv = [sys.executable, "-c", PAUSED, "agent", *(f"--{flag}={value}" for flag, value in flags.items())]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as agent:
        try:
            until(lambda: accepts(port), agent)
            assert agent.stdin is not None
            agent.stdin.write(b"\n")
            agent.stdin.flush()
            until(lambda: not accepts(port), agent)  # it may be long until the runtime comes
        finally:
            agent.terminate()
            assert agent.wait(WAIT_S) == 0


def until(condition: Callable[[], bool], agent: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert agent.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
