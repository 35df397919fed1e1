"""What only cgroup v2 can do, by a real agent with either cgroup driver: the kernel's files say what pods get."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwright.agent.configs.cpu import cpu_weight
from podwright.agent.pods.qos import QosClass
from podwright.agent.resources.limits import CgroupLimits
from podwright.agent.resources.slices import slice_of
from podwright.conformance.patience import patient
from podwright.linux import cgroup
from podwright.runtime.handlers.processes.cgroups import limited
from tests.agent.api_pods import FOREVER, bind, delete_all, is_ready, joined_agent, pod
from tests.harness.agent import AgentProcess
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.cgroups import container_cgroup, driver_of, names_in
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch

HOST = cgroup.detect()
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(HOST.layout != "v2", reason="this host has cgroup v1"),
]

MIB = 1 << 20
SETTINGS = {
    "featureGates": {"MemoryQoS": True},
    "memoryReservationPolicy": "TieredReservation",
    "memorySwap": {"swapBehavior": "LimitedSwap"},
    "podPidsLimit": 128,
    "systemReserved": {"memory": "100Mi"},
}
GUARANTEED = "{limits: {cpu: 500m, memory: 64Mi}}"
BURSTABLE = "{requests: {cpu: 100m, memory: 32Mi}, limits: {cpu: 250m, memory: 64Mi}}"
THROTTLED_BYTES = (32 * MIB + int(32 * MIB * 0.9)) // 4096 * 4096


@pytest.fixture
def agent(
    podwright_server: Podwright, scratch: Scratch, api: ApiServerThread, tmp_path: Path
) -> Iterator[AgentProcess]:
    with joined_agent(scratch.part("agent"), podwright_server.endpoint, api, tmp_path, SETTINGS) as process:
        yield process


def value(path: str, name: str) -> str:
    """A file of a cgroup."""
    return Path(f"{HOST.unified}{path}", name).read_text().strip()


def number(name: str, file: str) -> int:
    """The number of a line such as `SwapTotal: 0 kB`."""
    lines = Path(file).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def spec(image: str, resources: str = "{}") -> str:
    return f"containers: [{{name: main, image: {image}, command: [sh, -c, '{FOREVER}'], resources: {resources}}}]\n"


def start(agent: AgentProcess, api: ApiServerThread, name: str, text: str) -> str:
    """Run a pod; its UID."""
    bind(api, name, text)
    agent.until(lambda: is_ready(api, name), f"{name} runs")
    found = pod(api, name)
    assert found is not None
    return found.metadata.uid


def container_of(agent: AgentProcess, api: ApiServerThread, parent: str, name: str) -> str:
    """The cgroup of the pod's container: with systemd, crun has one below the scope (crun 1.8 limits that alone)."""
    found = pod(api, name)
    assert found is not None
    scheme, _, container_id = found.status.container_statuses[0].container_id.partition("://")
    assert scheme == "podwright"
    return limited(HOST, container_cgroup(agent.part, parent, container_id))


def test_what_pods_get(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    names = names_in(agent.part)
    uids: dict[QosClass, str] = {
        "Guaranteed": start(agent, api, "guaranteed", spec(image, GUARANTEED)),
        "Burstable": start(agent, api, "burstable", spec(image, BURSTABLE)),
        "BestEffort": start(agent, api, "besteffort", spec(image)),
    }
    guaranteed, burstable, best_effort = (names.of_pod(qos, uid) for qos, uid in uids.items())
    memory_bytes, swap_bytes = (number(name, "/proc/meminfo") << 10 for name in ("MemTotal", "SwapTotal"))
    expected: dict[str, dict[str, int | str]] = {
        guaranteed: {
            "memory.max": 64 * MIB,
            "memory.min": 64 * MIB,
            "cpu.max": "50000 100000",
            "cpu.weight": cpu_weight(512),
            "pids.max": 128,
        },
        burstable: {"memory.max": 64 * MIB, "memory.low": 32 * MIB, "cpu.max": "25000 100000", "pids.max": 128},
        best_effort: {"memory.max": "max", "memory.low": 0, "cpu.max": "max 100000", "cpu.weight": 1},
        names.of_class("Burstable"): {"memory.low": 32 * MIB, "cpu.weight": cpu_weight(102)},
        names.of_class("BestEffort"): {"cpu.weight": 1},
        names.kubepods: {"memory.max": memory_bytes - 100 * MIB, "memory.min": 96 * MIB},
        container_of(agent, api, guaranteed, "guaranteed"): {
            "memory.max": 64 * MIB,
            "memory.min": 64 * MIB,
            "memory.high": "max",
            "memory.swap.max": 0,
            "cpu.max": "50000 100000",
        },
        container_of(agent, api, burstable, "burstable"): {
            "memory.low": 32 * MIB,
            "memory.high": THROTTLED_BYTES,
            "memory.swap.max": 32 * MIB * swap_bytes // memory_bytes // 4096 * 4096,
        },
        container_of(agent, api, best_effort, "besteffort"): {"memory.low": 0, "memory.swap.max": 0},
    }

    def found() -> dict[str, dict[str, str]]:
        return {path: {name: value(path, name) for name in files} for path, files in expected.items()}

    wanted = {path: {name: str(text) for name, text in files.items()} for path, files in expected.items()}
    low = names.of_class("Burstable")
    agent.until(lambda: value(low, "memory.low") == wanted[low]["memory.low"], "the classes follow their pods")
    assert found() == wanted
    if agent.part.driver == "systemd":  # which then sets all that it knows of once more
        subprocess.run(["systemctl", "daemon-reload"], check=True, timeout=patient(60.0))
        assert found() == wanted
    agent.until(lambda: measures_pressure(agent, "burstable"), "pressure is measured")

    delete_all(agent, api)
    paths = [Path(f"{HOST.unified}{path}") for path in (guaranteed, burstable, best_effort)]
    agent.until(lambda: not any(path.exists() for path in paths), "the pods' cgroups are gone")
    drop_ins = [Path("/run/systemd/system.control", f"{path.name}.d") for path in paths]
    agent.until(lambda: not any(path.exists() for path in drop_ins), "and systemd has no settings of theirs")


def measures_pressure(agent: AgentProcess, name: str) -> bool:
    """Whether there are counters of a pod's container (the gate KubeletPSI)."""
    lines = agent.get("/metrics/cadvisor").decode().splitlines()
    return any(line.startswith("container_pressure_memory_waiting") and f'pod="{name}"' in line for line in lines)


def test_a_user_namespace(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    """Root in the pod is nobody outside, and the cgroup's limits are the same."""
    text = spec(image, GUARANTEED)
    uid = start(agent, api, "mapped", f"hostUsers: false\n{text}")
    path = container_of(agent, api, names_in(agent.part).of_pod("Guaranteed", uid), "mapped")
    pid = min(cgroup.processes(HOST, path))
    inside, outside, count = Path(f"/proc/{pid}/uid_map").read_text().split()
    assert (inside, count) == ("0", "65536")
    assert int(outside) >= 65536
    assert value(path, "memory.max") == str(64 * MIB)
    assert json.loads(agent.get("/stats/summary"))["pods"]


def test_slices_are_not_stopped_when_a_shutdown_begins(scratch: Scratch) -> None:
    """What systemd stops then has DefaultDependencies, which put it in conflict with shutdown.target."""
    part = scratch.part("slice")
    if part.driver != "systemd":
        pytest.skip("slices are the systemd driver's")
    names, driver = names_in(part), driver_of(part)
    paths = (names.kubepods, names.of_class("Burstable"), names.of_pod("Burstable", "1234"))
    try:
        for path in paths:
            asyncio.run(driver.make(path, CgroupLimits(memory_bytes=64 * MIB)))
            asyncio.run(driver.make(path, CgroupLimits(memory_bytes=32 * MIB)))  # as after a restart of the agent
        for path in paths:
            assert _shown(path, "DefaultDependencies", "Conflicts") == ["no", ""]
    finally:
        for path in reversed(paths):
            asyncio.run(driver.remove(path))


def _shown(path: str, *properties: str) -> list[str]:
    """What systemd says of a slice, in the properties' order."""
    asked = [f"--property={name}" for name in properties]
    argv = ("systemctl", "show", slice_of(path), *asked)
    said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=patient(20.0)).stdout
    values = dict(line.partition("=")[::2] for line in said.splitlines())
    return [values.get(name, "") for name in properties]


def test_a_slice_whose_processes_ignore_sigterm_is_gone_at_once(scratch: Scratch) -> None:
    """systemd alone would wait 90 s for them."""
    part = scratch.part("slice")
    if part.driver != "systemd":
        pytest.skip("slices are the systemd driver's")
    path, driver = names_in(part).of_pod("Burstable", "1234"), driver_of(part)
    asyncio.run(driver.make(path, CgroupLimits(memory_bytes=64 * MIB)))
    command = ("sh", "-c", "trap '' TERM; echo ready; while true; do sleep 1000; done")
    argv = ("systemd-run", "--quiet", "--scope", f"--slice={slice_of(path)}", *command)
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            asyncio.run(driver.remove(path))
            assert process.wait(patient(30.0)) == -9
        finally:
            process.kill()
    assert not Path(f"{HOST.unified}{path}").exists()
    asyncio.run(driver.remove(path))  # an absent one is fine
    asyncio.run(driver.remove(names_in(part).kubepods))
