"""One node agent on one runtime, with a folder, a cgroup and ports of its own, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator

import msgspec

from podwright.bench.agents import cgroup
from podwright.bench.agents.command import Site, command_line, kubelet_configuration
from podwright.bench.agents.manifests import Manifests
from podwright.bench.agents.program import AgentProgram, find_program, free_ports
from podwright.bench.agents.runtime_view import RuntimeView
from podwright.bench.options import TargetOptions
from podwright.bench.targets.base import BenchTarget
from podwright.errors import FailedPrecondition, PodwrightError, reason
from podwright.linux.cgroup import CgroupHost, detect
from podwright.linux.mount import read_mounts, unmount

# The pause before the end of an agent after its last pod. A runtime aborts calls of a client that goes away, and
# containerd 1.6, if it is just removing a pod's network, leaves firewall rules behind.
CALM_S = 2.0
END_LIMIT_S = 20.0
END_POLL_S = 0.05
LOG_LINKS = "/var/log/containers"  # a kubelet puts links to log files there, regardless of its configuration
# A kubelet creates this folder regardless of its configuration. Its parent stays, and so does the links' folder:
# others may use them by now, at least as mount points.
DEVICE_PLUGINS = "/var/lib/kubelet/device-plugins"
DEVICE_PLUGIN_FILES = ("kubelet.sock", "DEPRECATION")


class AgentSession(msgspec.Struct, frozen=True, kw_only=True):
    """A running node agent, the manifests that it watches, and the runtime's view."""

    program: AgentProgram
    manifests: Manifests
    runtime: RuntimeView


@contextlib.asynccontextmanager
async def open_session(target: BenchTarget, runtime: RuntimeView, *, image: str) -> AsyncIterator[AgentSession]:
    """Start the target's node agent with an empty folder. At the end, its pods, mounts and cgroups are removed.

    Raises FailedPrecondition and DeadlineExceeded if it does not start.
    """
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="podwright-agent-", ignore_cleanup_errors=True)
        )
        stack.callback(_remove_traces, folder, had_device_plugins=os.path.exists(DEVICE_PLUGINS))
        site = site_of(target.options, folder, target.run_id)
        _prepare(site, stack)
        manifests = Manifests(site.manifests, f"{folder}/staging", image=image, run_id=target.run_id)
        argv = command_line(find_program(target.options.agent), site)
        program = AgentProgram(argv, port=site.pods_port, log=f"{folder}/agent.log", run_id=target.run_id)
        session = AgentSession(program=program, manifests=manifests, runtime=runtime)
        stack.push_async_callback(lambda: asyncio.shield(_end(session, target)))
        await program.start()
        yield session


def site_of(options: TargetOptions, folder: str, run_id: str) -> Site:
    """A site in the folder, with free ports."""
    pods_port, server_port = free_ports(2)
    return Site(
        node=f"bench-{run_id}",
        folder=folder,
        endpoint=options.endpoint,
        cgroup=f"{options.cgroup_parent}/podwright-bench-{run_id}",
        pods_port=pods_port,
        server_port=server_port,
    )


def _prepare(site: Site, stack: contextlib.AsyncExitStack) -> None:
    """Create the folders, the configuration file and the cgroup. Raises FailedPrecondition."""
    host = detect()
    try:
        os.chmod(site.folder, 0o711)  # pods with a user namespace need to traverse it
        for folder in (site.root, site.logs):
            os.mkdir(folder)
        with open(site.config, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(kubelet_configuration(site)), indent=2))
        made = cgroup.make(host, site.cgroup)
        stack.callback(_remove_cgroup, host, made)
    except OSError as failure:
        raise FailedPrecondition(
            f"cannot prepare a node agent: {reason(failure)}", hint="run podwright as root"
        ) from failure


async def _end(session: AgentSession, target: BenchTarget) -> None:
    """Let the agent end its pods if it works, end the agent, and remove what remains."""
    try:
        session.manifests.clear()
        with contextlib.suppress(PodwrightError):  # the sweep does not need it
            await _ended(session)
            await asyncio.sleep(CALM_S)
    finally:
        try:
            await session.program.close()
        finally:
            await target.sweep()


async def _ended(session: AgentSession) -> None:
    async def look() -> bool | None:
        return None if (await session.runtime.snapshot()).alive else True

    await session.program.wait(look, "end of all pods", limit_s=END_LIMIT_S, poll_s=END_POLL_S)


def _remove_cgroup(host: CgroupHost, made: list[str]) -> None:
    """Raises FailedPrecondition if something still runs in it."""
    try:
        cgroup.remove(host, made)
    except OSError as failure:
        raise FailedPrecondition(
            f"cannot remove the cgroup {made[-1]} of a node agent: {reason(failure)}"
        ) from failure


def _remove_traces(folder: str, *, had_device_plugins: bool) -> None:
    """Unmount everything below the folder, and remove the agent's files in other places.

    Raises FailedPrecondition.
    """
    below = [mount.target for mount in read_mounts() if mount.target.startswith(f"{folder}/")]
    try:
        for path in reversed(below):
            unmount(path)
        _remove_log_links(folder)
        if not had_device_plugins:
            _remove_device_plugins()
    except OSError as failure:
        raise FailedPrecondition(f"cannot clean up after a node agent: {reason(failure)}") from failure


def _remove_log_links(folder: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        for link in os.scandir(LOG_LINKS):
            if link.is_symlink() and os.readlink(link.path).startswith(f"{folder}/"):
                os.unlink(link.path)


def _remove_device_plugins() -> None:
    for name in DEVICE_PLUGIN_FILES:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(f"{DEVICE_PLUGINS}/{name}")
    with contextlib.suppress(OSError):  # it is absent or in use
        os.rmdir(DEVICE_PLUGINS)
