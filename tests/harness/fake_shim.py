"""A shim that runs nothing, and does wrong on demand: what a file named `fault` beside it says.

    hang METHOD, garbage METHOD, die METHOD     of the Task or Sandbox API, or the action "start" or "delete"
    lie PID                                     another process is the shim
    flood                                       events without end, from the first Create on
    garbage events                              ones that cannot be read, without end

It has no process in a cgroup of its containers, as one that makes virtual machines. What it was asked is in `asked`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.api import usage_pb2 as usage
from podwright.runtime.handlers.shim.events import METHOD, SERVICE
from podwright.ttrpc import Server, connect

TASK, SANDBOX = "containerd.task.v3.Task", "containerd.runtime.sandbox.v1.Sandbox"
GARBAGE = b"\xff" * 100
OOM = pb.ForwardRequest(envelope=pb.Envelope(topic="/tasks/oom", namespace="k8s.io")).SerializeToString()
SCRIPT = """#!{python} -P
import json, os, socket, subprocess, sys, time
arguments, folder = sys.argv[1:], {folder!r}
if "-socket" not in arguments:
    fault = open(f"{{folder}}/fault").read() if os.path.exists(f"{{folder}}/fault") else ""
    if fault == "hang " + arguments[-1]:
        time.sleep(1000)
    if fault == "die " + arguments[-1]:
        sys.exit(7)
    if fault == "garbage " + arguments[-1]:
        sys.stdout.buffer.write(b"\\xff" * 100)
        sys.exit()
if "-socket" in arguments:
    sys.path.insert(0, {tree!r})
    from tests.harness.fake_shim import main
    main(folder)
elif arguments[-1] == "start":
    path = folder + "/" + arguments[arguments.index("-id") + 1][:12] + ".sock"
    listener = socket.socket(socket.AF_UNIX)
    if os.path.exists(path):
        os.unlink(path)
    listener.bind(path)
    listener.listen()
    null = open(os.devnull, "r+")
    os.dup2(listener.fileno(), 3)
    subprocess.Popen(
        [sys.argv[0], *arguments[:-1], "-socket", path],
        stdin=null, stdout=null, stderr=null, pass_fds=(3,), start_new_session=True,
    )
    print(json.dumps({{"version": 3, "address": "unix://" + path, "protocol": "ttrpc"}}))
elif arguments[-1] == "delete":
    sys.stdout.buffer.write(bytes([0x10, 0x89, 0x01]))  # DeleteResponse, exit_status 137
"""
LISTENER_FD = 3


class FakeShim:
    """Owns a folder with the program, and what it shall do wrong."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.path = folder / "containerd-shim-fake-v1"
        tree = str(Path(__file__).resolve().parents[2])
        self.path.write_text(SCRIPT.format(python=sys.executable, tree=tree, folder=str(folder)))
        self.path.chmod(0o755)

    def commit(self, fault: str) -> None:
        """Commit this fault from now on."""
        (self._folder / "fault").write_text(fault)

    def behave(self) -> None:
        """No fault any more."""
        (self._folder / "fault").unlink(missing_ok=True)

    @property
    def asked(self) -> list[str]:
        """The methods that were called, in order."""
        path = self._folder / "asked"
        return path.read_text().split() if path.exists() else []


class _Shim:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends: dict[str, asyncio.Future[int]] = {}
        self._outputs: dict[str, list[int]] = {}
        self._flood: asyncio.Task[None] | None = None
        self.over = asyncio.Event()

    def methods(self) -> dict[tuple[str, str], Callable[[bytes, Mapping[str, str]], Awaitable[bytes]]]:
        task = ("Create", "Start", "Wait", "State", "Kill", "Delete", "Connect", "Shutdown", "Stats", "CloseIO")
        sandbox = ("CreateSandbox", "StartSandbox", "WaitSandbox", "StopSandbox", "ShutdownSandbox")
        named = [(TASK, name) for name in task] + [(SANDBOX, name) for name in sandbox]
        return {(service, name): self._method(name) for service, name in named}

    def _method(self, name: str) -> Callable[[bytes, Mapping[str, str]], Awaitable[bytes]]:
        async def call(payload: bytes, _: Mapping[str, str]) -> bytes:
            with open(self._folder / "asked", "a", encoding="ascii") as file:
                file.write(f"{name}\n")
            await _misbehave(self._folder, name)
            if _fault(self._folder) == f"garbage {name}":
                return GARBAGE
            answer = await getattr(self, f"_{name}", self._nothing)(payload)
            return answer if isinstance(answer, bytes) else b""

        return call

    async def _nothing(self, payload: bytes) -> bytes:
        return b""

    async def _Create(self, payload: bytes) -> bytes:  # noqa: N802 # the method's name, here and below
        request = pb.CreateRequest.FromString(payload)
        self._ends[request.id] = asyncio.get_running_loop().create_future()
        self._outputs[request.id] = [os.open(one, os.O_WRONLY) for one in (request.stdout, request.stderr) if one]
        events = {"flood": OOM, "garbage events": GARBAGE}.get(_fault(self._folder))
        if events is not None:
            self._flood = asyncio.create_task(_flood(events))
        return b""

    async def _Wait(self, payload: bytes) -> bytes:  # noqa: N802
        end = self._ends[pb.ProcessRequest.FromString(payload).id]
        return pb.WaitResponse(exit_status=await asyncio.shield(end)).SerializeToString()

    async def _State(self, payload: bytes) -> bytes:  # noqa: N802
        ended = self._ends[pb.ProcessRequest.FromString(payload).id].done()
        return pb.StateResponse(status=pb.STATUS_STOPPED if ended else pb.STATUS_RUNNING).SerializeToString()

    async def _Kill(self, payload: bytes) -> bytes:  # noqa: N802
        request = pb.KillRequest.FromString(payload)
        end = self._ends[request.id]
        if not end.done():
            for fd in self._outputs.pop(request.id):
                os.write(fd, b"killed\n")
                os.close(fd)
            end.set_result(128 + request.signal)
        return b""

    async def _Stats(self, payload: bytes) -> bytes:  # noqa: N802
        metrics = usage.MetricsV2(cpu=usage.CpuV2(usage_usec=7), memory=usage.MemoryV2(usage=4096, inactive_file=96))
        reply = pb.StatsResponse()
        reply.stats.type_url = "io.containerd.cgroups.v2.Metrics"
        reply.stats.value = metrics.SerializeToString()
        return reply.SerializeToString()

    async def _Connect(self, payload: bytes) -> bytes:  # noqa: N802
        lie = _fault(self._folder).partition("lie ")[2]
        return pb.ConnectResponse(shim_pid=int(lie or os.getpid())).SerializeToString()

    async def _WaitSandbox(self, payload: bytes) -> bytes:  # noqa: N802
        await asyncio.Event().wait()
        return b""

    async def _Shutdown(self, payload: bytes) -> bytes:  # noqa: N802
        asyncio.get_running_loop().call_later(0.05, self.over.set)
        return b""

    async def _ShutdownSandbox(self, payload: bytes) -> bytes:  # noqa: N802
        return await self._Shutdown(payload)


async def _flood(event: bytes) -> None:
    client = await connect(os.environ["TTRPC_ADDRESS"], timeout_s=5)
    while not client.ended.done():
        calls = (client.call(SERVICE, METHOD, event, timeout_s=60) for _ in range(500))
        await asyncio.gather(*calls, return_exceptions=True)


def _fault(folder: Path) -> str:
    path = folder / "fault"
    return path.read_text() if path.exists() else ""


async def _misbehave(folder: Path, what: str) -> None:
    if _fault(folder) == f"hang {what}":
        await asyncio.Event().wait()
    if _fault(folder) == f"die {what}":
        os._exit(7)


async def _serve(folder: Path) -> None:
    shim = _Shim(folder)
    server = Server(shim.methods())
    await server.serve(socket.socket(fileno=LISTENER_FD))
    await shim.over.wait()
    await server.close()


def main(folder_name: str) -> None:
    """The shim itself, with its listening socket as descriptor 3."""
    asyncio.run(_serve(Path(folder_name)))
