"""Commands in containers: their descendants, their ends, and the end of the container under them."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from podwright.conformance.pods import CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument
from podwright.linux import cgroup, proc
from podwright.runtime.handlers.oci import marks
from tests.faults.audit import records
from tests.faults.faulty import HANDLER, FaultyRuntime
from tests.faults.node import Node, eventually
from tests.harness.cgroups import container_cgroup

pytestmark = [pytest.mark.root]

MARK = f"987{os.getpid()}"  # in the host's PID namespace there may be others' commands
# One child, one in a session of its own, one that its parent has left, one with both and an empty environment.
FAMILY = (
    f"sleep {MARK}1 & setsid sleep {MARK}2 & (sleep {MARK}3 &) ; "
    f"(env -i setsid sh -c 'sleep {MARK}4 & sleep {MARK}5') & touch /up; sleep {MARK}0"
)
LIMIT_BYTES = 16 << 20
MODES = {"own": api.CONTAINER, "the pod's": api.POD, "the host's": api.NODE}


async def sleepers(pod: CasePod, container: str) -> list[str]:
    """How long our commands sleep, as a container sees them."""
    listing = (await pod.exec(container, "ps", "-o", "args")).stdout.decode()
    return sorted(line.split()[1] for line in listing.splitlines() if line.startswith(f"sleep {MARK}"))


async def is_up(pod: CasePod, container: str) -> None:
    async def up() -> bool:
        return (await pod.exec(container, "test", "-e", "/up")).exit_code == 0

    await eventually(up, "the command runs")


@pytest.mark.parametrize("handler", ["crun", "runc"])
async def test_a_deadline_ends_all_descendants(node: Node, handler: str) -> None:
    pod = await node.pod(handler=handler)
    container = await pod.run()
    with pytest.raises(DeadlineExceeded, match="did not end within 1 s"):
        await pod.exec(container, "sh", "-c", FAMILY, timeout=1)
    assert await sleepers(pod, container) == []
    assert (await pod.status(container)).state == api.CONTAINER_RUNNING
    await node.audited()
    await node.emptied()


async def test_what_is_older_than_an_exec_is_not_its_own(node: Node) -> None:
    """There are fewer marks than execs: what one has left behind may have the mark of a later one."""
    pod = await node.pod()
    container = await pod.run()
    await pod.exec(container, "sh", "-c", f"setsid sleep {MARK}7 > /dev/null 2>&1 &")
    group = container_cgroup(node.server.part, pod.config.linux.cgroup_parent, container)
    host = cgroup.detect()
    ((daemon, mark),) = (
        (pid, mark) for pid in cgroup.processes(host, group) if (mark := marks.mark_of(pid)) is not None
    )
    started = proc.start_time(daemon)
    assert started is not None
    marks.kill_marked(host, group, {mark: started + 1})
    assert daemon in cgroup.processes(host, group)
    marks.kill_marked(host, group, {mark: started})
    assert daemon not in cgroup.processes(host, group)


async def test_daemons_of_a_command_that_has_ended_are_the_containers(node: Node) -> None:
    """They may hold its pipes open: the answer comes all the same. Another exec's deadline is not theirs."""
    pod = await node.pod()
    container = await pod.run()
    answer = await pod.exec(container, "sh", "-c", f"echo begun; setsid sleep {MARK}6 & exit 3")
    assert (answer.exit_code, answer.stdout) == (3, b"begun\n")
    with pytest.raises(DeadlineExceeded):
        await pod.exec(container, "sleep", f"{MARK}7", timeout=1)
    assert await sleepers(pod, container) == [f"{MARK}6"]
    await node.emptied()


async def test_a_killed_daemon_leaves_no_descendants(node: Node) -> None:
    pod = await node.pod()
    container = await pod.run()
    asked = asyncio.ensure_future(pod.exec(container, "sh", "-c", FAMILY, timeout=0))
    await is_up(pod, container)
    await node.reborn()
    await asyncio.gather(asked, return_exceptions=True)
    assert await sleepers(pod, container) == []
    await node.audited()
    await node.emptied()


async def test_a_caller_that_goes_takes_its_command_along(node: Node) -> None:
    pod = await node.pod()
    container = await pod.run()
    asked = asyncio.ensure_future(pod.exec(container, "sh", "-c", FAMILY, timeout=0))
    await is_up(pod, container)
    asked.cancel()

    async def gone() -> bool:
        return await sleepers(pod, container) == []

    await eventually(gone, "the command ends")
    await node.audited()
    await node.emptied()


@pytest.mark.parametrize("handler", ["crun", "runc"])
@pytest.mark.parametrize("mode", list(MODES))
async def test_commands_end_with_their_container(node: Node, handler: str, mode: str) -> None:
    """With a PID namespace of its own, the kernel sees to it; otherwise we do."""
    pod = await node.pod(handler=handler, namespaces=api.NamespaceOption(pid=MODES[mode]))
    watcher = await pod.run(name="watcher")
    container = await pod.run(name="main")
    asked = asyncio.ensure_future(pod.exec(container, "sh", "-c", FAMILY, timeout=0))
    await is_up(pod, container)
    os.kill(records(node.server, "containers")[container]["pid"], signal.SIGKILL)
    assert (await asked).exit_code == 128 + signal.SIGKILL
    status = await pod.exited(container)
    assert (status.exit_code, status.reason) == (137, "Error")
    assert await sleepers(pod, watcher) == []
    await node.audited()
    await node.emptied()


async def _is_exiting(pid: int) -> bool:
    found = proc.stat(pid)
    return found is None or found.is_exiting


@pytest.mark.parametrize("handler", ["crun", "runc"])
async def test_a_container_that_has_ended_unnoticed(node: Node, handler: str) -> None:
    """Its monitor says nothing yet; the OCI runtime fails in words of its own. Probes run into it at each end."""
    pod = await node.pod(handler=handler)
    container = await pod.run()
    record = records(node.server, "containers")[container]
    os.kill(record["task"]["monitor_pid"], signal.SIGSTOP)
    try:
        os.kill(record["pid"], signal.SIGKILL)
        await eventually(lambda: _is_exiting(record["pid"]), "the first process ends")
        with pytest.raises(FailedPrecondition, match="is not running"):
            await pod.exec(container, "true")
    finally:
        os.kill(record["task"]["monitor_pid"], signal.SIGCONT)
    await pod.exited(container)
    await node.emptied()


async def test_commands_in_another_containers_namespace(node: Node) -> None:
    """TARGET: the target lives on, what ran in the other container does not."""
    pod = await node.pod()
    target = await pod.run(name="target")
    options = api.NamespaceOption(pid=api.TARGET, target_id=target)
    linux = api.LinuxContainerConfig(security_context=api.LinuxContainerSecurityContext(namespace_options=options))
    container = await pod.run(("sh", "-c", FAMILY), name="guest", linux=linux)

    async def all_sleep() -> bool:
        return len(await sleepers(pod, target)) == 6

    await eventually(all_sleep, "the commands run")
    await pod.stop(container, timeout=0)
    assert await sleepers(pod, target) == []
    assert (await pod.status(target)).state == api.CONTAINER_RUNNING
    await node.emptied()


@pytest.mark.parametrize("target_runs", [False, True], ids=["before create", "before start"])
async def test_a_target_that_has_ended(node: Node, target_runs: bool) -> None:
    pod, other = await node.pod(), await node.pod()
    target = await pod.run(name="target")
    options = api.NamespaceOption(pid=api.TARGET, target_id=target)
    linux = api.LinuxContainerConfig(security_context=api.LinuxContainerSecurityContext(namespace_options=options))
    with pytest.raises(InvalidArgument, match="is in another sandbox"):
        await other.create(name="guest", linux=linux)
    if target_runs:
        container = await pod.create(name="guest", linux=linux)
    await pod.stop(target, timeout=0)
    with pytest.raises(Exception, match=r"target \w+ is not running \(exited\)"):
        await (pod.start(container) if target_runs else pod.create(name="guest", linux=linux))
    if target_runs:
        status = await pod.status(container)
        assert (status.state, status.reason) == (api.CONTAINER_EXITED, "StartError")
    await node.audited()
    await node.emptied()


async def test_too_much_output(node: Node) -> None:
    """16 MiB of each stream; the rest is read and thrown away, so that the command ends by itself."""
    pod = await node.pod()
    container = await pod.run()
    flood = "yes out | head -c 20000000; yes err | head -c 20000000 >&2; exit 7"
    for answer in await asyncio.gather(*(pod.exec(container, "sh", "-c", flood) for _ in range(3))):
        assert (answer.exit_code, len(answer.stdout), len(answer.stderr)) == (7, LIMIT_BYTES, LIMIT_BYTES)
        assert (answer.stdout[:4], answer.stderr[:4]) == (b"out\n", b"err\n")
    await eventually(lambda: _is_slim(node.server.process.pid), "the memory is given back")
    await node.emptied()


async def _is_slim(pid: int) -> bool:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        kib = next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
    return kib < 110 * 1024


async def test_a_hanging_runtime_and_a_deadline(hasty_node: Node, faulty: FaultyRuntime) -> None:
    pod = await hasty_node.pod(handler=HANDLER)
    container = await pod.run()
    faulty.commit("hang exec")
    asked = [asyncio.ensure_future(pod.exec(container, "true", timeout=1)) for _ in range(5)]
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(outcome, DeadlineExceeded)
    await hasty_node.audited()
    await hasty_node.emptied()
