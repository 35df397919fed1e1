"""The steps that make a sandbox READY, and those that undo it. `sandboxes` decides when.

The Engine makes the pod's namespaces, for the container of the pod's first process. The network namespace is pinned,
as the native engine pins its own, so that our network can take it down when that process has gone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import Any

import msgspec

from podwright.errors import PodwrightError, RuntimeFailed
from podwright.linux import namespaces
from podwright.linux.files import make_private
from podwright.runtime.engines.docker import bodies
from podwright.runtime.engines.docker.host import EngineHost, EngineRecord
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxState
from podwright.runtime.network import NetworkService
from podwright.runtime.sandbox import files, host_parts
from podwright.runtime.sandbox.building import attach_request
from podwright.runtime.sandbox.parents import Parents
from podwright.runtime.sandbox.paths import SandboxPaths, sandbox_paths
from podwright.runtime.sandbox.requests import note_torn_down
from podwright.runtime.security.profiles import localhost_profile
from podwright.runtime.state import Store
from podwright.timeline import Step

log = logging.getLogger(__name__)


class EngineSandboxEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps need."""

    state: str
    store: Store[Sandbox]
    host: EngineHost
    network: NetworkService
    parents: Parents
    pause_image: str
    shm_size_bytes: int
    oom_score_adj: int
    default_seccomp: dict[str, Any] | None

    def paths(self, sandbox_id: SandboxId) -> SandboxPaths:
        """The sandbox's paths on the host."""
        return sandbox_paths(self.state, sandbox_id)


def make_folder(env: EngineSandboxEnvironment) -> None:
    """At start: make the folder of all sandboxes. Raises OSError."""
    os.makedirs(f"{env.state}/sandboxes", mode=0o711, exist_ok=True)


def remove_unknown(env: EngineSandboxEnvironment) -> None:
    """At start: remove directories without a record. Raises OSError."""
    for name in os.listdir(f"{env.state}/sandboxes"):
        if env.store.find(name) is None:
            log.warning("removing directory of unknown sandbox: id=%s", name[:12])
            host_parts.unmake(env.paths(SandboxId(name)))


async def build(env: EngineSandboxEnvironment, sandbox: Sandbox) -> None:
    """Run all steps until READY. After a failure the caller calls `tear_down`."""
    paths = env.paths(sandbox.id)
    host_parts.make_log_directory(sandbox.config)
    await asyncio.to_thread(_make_files, sandbox, paths)
    with Step("first process"):
        sandbox = await _start_process(env, sandbox)
    if sandbox.netns:
        with Step("pin"):
            await asyncio.to_thread(namespaces.pin, f"/proc/{sandbox.pid}", {"net": paths.netns})
        attachment = await env.network.attach(attach_request(sandbox))
        sandbox = env.store.put(msgspec.structs.replace(sandbox, attachment=attachment))
        await asyncio.to_thread(host_parts.apply_network_sysctls, sandbox.config, paths)
    env.store.put(msgspec.structs.replace(sandbox, state=SandboxState.READY))


def _make_files(sandbox: Sandbox, paths: SandboxPaths) -> None:
    make_private(paths.directory, group=0)
    host_parts.write_files(sandbox.config, paths)


async def _start_process(env: EngineSandboxEnvironment, sandbox: Sandbox) -> Sandbox:
    name = sandbox.config.name
    body = bodies.sandbox_body(
        bodies.SandboxInputs(
            root=env.host.root,
            facts=env.host.facts,
            sandbox=sandbox,
            image=env.pause_image,
            runtime=sandbox.handler,
            hostname=files.hostname(sandbox.config, socket.gethostname()),
            shm_size_bytes=env.shm_size_bytes,
            oom_score_adj=env.oom_score_adj,
            default_seccomp=env.default_seccomp,
            localhost_seccomp=localhost_profile(f"sandbox {name.name}", sandbox.config.security.seccomp),
        )
    )
    engine_id = await env.host.create(sandbox.id, body, f"sandbox {name.namespace}/{name.name}")
    await env.host.start(sandbox.id)
    state = await env.host.inspect(sandbox.id)
    if state is None or not state.pid:
        raise RuntimeFailed(
            f"sandbox {sandbox.id[:12]}: its first process has no PID on this host",
            hint="Podwright and the Docker Engine must run on the same host, in its PID namespace",
        )
    return env.store.put(msgspec.structs.replace(sandbox, pid=state.pid, process=EngineRecord(id=engine_id).part))


async def tear_down(env: EngineSandboxEnvironment, sandbox: Sandbox) -> None:
    """Remove the network, the process and the pin. Absent parts are skipped."""
    if sandbox.netns and (sandbox.attachment is not None or sandbox.state is SandboxState.CREATING):
        await env.network.detach(attach_request(sandbox), sandbox.attachment)
    with Step("first process"):
        await env.host.remove(sandbox.id)
    await asyncio.to_thread(host_parts.unpin, env.paths(sandbox.id))
    note_torn_down(env.store, sandbox.id)


async def undo(env: EngineSandboxEnvironment, sandbox: Sandbox) -> None:
    """Undo a sandbox that did not become READY. If that fails, it stays visible as NOTREADY."""
    sandbox = env.store.find(sandbox.id) or sandbox
    try:
        await tear_down(env, sandbox)
        await forget(env, sandbox)
    except (PodwrightError, OSError) as failure:
        log.error("cannot undo sandbox: id=%s error=%s", sandbox.id[:12], failure)  # noqa: TRY400 # said in one line
        env.store.observe(msgspec.structs.replace(sandbox, state=SandboxState.NOTREADY))


async def clear(env: EngineSandboxEnvironment, sandbox: Sandbox) -> None:
    """Delete the files of a sandbox that is torn down."""
    await asyncio.to_thread(host_parts.unmake, env.paths(sandbox.id))


async def forget(env: EngineSandboxEnvironment, sandbox: Sandbox) -> None:
    """Delete the files, the cgroup parent if we made it, and the record of a sandbox that is torn down."""
    await clear(env, sandbox)
    await env.parents.remove(sandbox)
    env.store.delete(sandbox.id)
