"""The first process of a pod: a container of the pod's shim that only pauses, or the shim's own sandbox by its API.

With the runc shim a pod needs one only when it shares its PID namespace. Shims of virtual machines want one for every
pod: it is what they make the machine for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition, NotFound, PodwrightError
from podwright.linux import cgroup, proc
from podwright.process import Process
from podwright.runtime.handlers.processes import cgroups as container_cgroups
from podwright.runtime.handlers.processes import pause
from podwright.runtime.handlers.protocol import HandlerRecord, SandboxBundle, SandboxProcess
from podwright.runtime.handlers.shim import ending
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.calls import ShimCalls
from podwright.runtime.handlers.shim.member import ShimHost
from podwright.runtime.handlers.shim.pods import PodShim

log = logging.getLogger(__name__)

END_S = 5.0


class SandboxRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What must be found again: the process that ends with the pod. It is the shim if the host has no other."""

    pod: str
    api: bool
    pid: int
    start_time: int


async def create_container(
    host: ShimHost, bundle: SandboxBundle, spec: dict[str, Any], *, root: str
) -> SandboxProcess:
    """Run the built-in pause program as the pod's sandbox container. Raises what the shim raises. Nothing is left."""
    pause.make_root(root, os.uname().machine)
    document = json.dumps({**spec, "root": {"path": root, "readonly": True}}).encode()
    try:
        _write(bundle, document)
        shim = await host.pods.join(bundle.id, bundle.id, document)
        request = pb.CreateRequest(id=bundle.id, bundle=bundle.directory, options=host.options.of())
        await shim.calls.create(request)
        pid = await shim.calls.start(bundle.id)
    except BaseException:
        await asyncio.shield(stop(host, bundle))
        raise
    on_host = pid and ending.is_in_cgroup(host.cgroups, bundle.cgroup, pid)
    return _made(shim, bundle, pid if on_host else 0, api=False)


async def create_by_api(host: ShimHost, bundle: SandboxBundle, spec: dict[str, Any]) -> SandboxProcess:
    """Have the shim make its sandbox. Raises what the shim raises. Nothing is left then."""
    document = json.dumps(spec).encode()
    try:
        _write(bundle, document)
        shim = await host.pods.join(bundle.id, bundle.id, document)
        request = pb.CreateSandboxRequest(
            sandbox_id=bundle.id,
            bundle_path=bundle.directory,
            netns_path=_network_namespace(spec),
            annotations=spec.get("annotations", {}),
        )
        await shim.calls.run_sandbox(request)
    except BaseException:
        await asyncio.shield(stop(host, bundle))
        raise
    return _made(shim, bundle, 0, api=True)


def _write(bundle: SandboxBundle, document: bytes) -> None:
    os.makedirs(bundle.directory, mode=0o700, exist_ok=True)
    with open(f"{bundle.directory}/config.json", "wb") as file:
        file.write(document)


def _network_namespace(spec: dict[str, Any]) -> str:
    namespaces = spec.get("linux", {}).get("namespaces", ())
    return next((one.get("path", "") for one in namespaces if one["type"] == "network"), "")


def _made(shim: PodShim, bundle: SandboxBundle, pid: int, *, api: bool) -> SandboxProcess:
    watched = pid or shim.pid
    record = SandboxRecord(pod=bundle.id, api=api, pid=watched, start_time=proc.start_time(watched) or 0)
    return SandboxProcess(pid=pid, record=msgspec.to_builtins(record))


async def wait(host: ShimHost, record: HandlerRecord) -> None:
    """Return when it has ended, or its shim has."""
    facts = msgspec.convert(record, SandboxRecord)
    shim = await host.pods.rejoin(facts.pod, facts.pod)
    process = Process.adopt(facts.pid, facts.start_time) if facts.pid else None
    works = [asyncio.create_task(process.wait(), name="wait for a sandbox")] if process is not None else []
    if shim is not None and (facts.api or process is None):
        works.append(asyncio.create_task(_reported(shim.calls, facts), name="wait for a sandbox"))
    if not works:
        return
    try:
        await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for work in works:
            work.cancel()


async def _reported(calls: ShimCalls, facts: SandboxRecord) -> int:
    try:
        if facts.api:
            await calls.wait_sandbox(facts.pod)
        else:
            await calls.wait(facts.pod)
    except PodwrightError as failure:
        log.debug("a sandbox is not waited for: id=%s error=%s", facts.pod[:12], failure)
    return 0


def is_alive(record: HandlerRecord) -> bool:
    """Whether its process, or its shim, is there."""
    facts = msgspec.convert(record, SandboxRecord)
    return bool(facts.pid) and proc.start_time(facts.pid) == facts.start_time


async def stop(host: ShimHost, bundle: SandboxBundle) -> None:
    """End it and remove its remains. Does nothing if there are none."""
    if not os.path.exists(f"{bundle.directory}/config.json"):
        await host.pods.leave(bundle.id, bundle.id)  # a shim that was started for a container that was never created
        return
    shim = await host.pods.rejoin(bundle.id, bundle.id)
    if shim is None or not await _stop(shim.calls, bundle.id):
        if os.path.isdir(bundle.directory):
            await host.launcher.delete(bundle.id, bundle.directory)
        await asyncio.to_thread(cgroup.kill_all, host.cgroups, bundle.cgroup)
    await asyncio.to_thread(container_cgroups.remove, host.cgroups, bundle.cgroup)
    await host.pods.leave(bundle.id, bundle.id)
    shutil.rmtree(bundle.directory, ignore_errors=True)


async def _stop(calls: ShimCalls, sandbox_id: str) -> bool:
    """Stop the sandbox. Returns whether the shim keeps nothing of it any more."""
    try:
        await calls.stop_sandbox(sandbox_id)
    except PodwrightError:  # it is a container, or the shim has not this API
        pass
    else:
        return True
    try:
        try:
            await calls.kill(sandbox_id, signal.SIGKILL)
            async with asyncio.timeout(END_S):
                await calls.wait(sandbox_id)
        except (FailedPrecondition, NotFound, TimeoutError):
            pass
        await calls.delete(sandbox_id)
    except NotFound:
        return True
    except PodwrightError as failure:
        log.warning("a shim does not delete a sandbox: id=%s error=%s", sandbox_id[:12], failure)
        return False
    return True
