"""The shim of each pod: started for the pod's first container, shared by the others, ended after the last one.

{state}/shims/POD/           the shim's working directory and bundle
    config.json              annotations alone, or the spec of the pod's sandbox container
    bootstrap.json           where the shim listens: how the next daemon finds it
    log                      the fifo of the shim's own messages, shim.log what the log writer makes of them
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil

from podwright.errors import DeadlineExceeded, PodwrightError, Unavailable
from podwright.linux import proc
from podwright.linux.files import write_new
from podwright.process import Process
from podwright.runtime.handlers.shim.bootstrap import Address
from podwright.runtime.handlers.shim.calls import ShimCalls
from podwright.runtime.handlers.shim.launching import Launcher
from podwright.runtime.handlers.shim.logs import SHIM_LOG_LIMIT_BYTES, LogWriterProcess
from podwright.runtime.keyed_locks import KeyedLocks
from podwright.tasks import Tasks
from podwright.timeline import Step
from podwright.ttrpc import connect

log = logging.getLogger(__name__)

CONNECT_S = 5.0
END_S = 1.0  # from Shutdown to the end of the process; shims of containerd 1.6 do not always end
LOG = "shim-"  # what the log writer knows a shim's own messages by
GROUP = "io.kubernetes.cri.sandbox-id"


class PodShim:
    """The shim of a pod, and our connection to it."""

    def __init__(self, pod: str, address: Address, calls: ShimCalls) -> None:
        self.pod = pod
        self.address = address
        self.calls = calls
        self.pid = 0
        self.start_time = 0
        self.members: set[str] = set()  # the containers in it

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended."""
        return self.calls.client.ended.done()


class PodShims:
    """The shims of one handler's pods."""

    def __init__(self, launcher: Launcher, logs: LogWriterProcess, folder: str, timeout_s: float) -> None:
        """`folder` is where pods have their directories. `timeout_s` is for calls in which the shim runs programs."""
        self._launcher = launcher
        self._logs = logs
        self._folder = folder
        self._timeout_s = timeout_s
        self._shims: dict[str, PodShim] = {}
        self._locks: KeyedLocks[str] = KeyedLocks()
        self._tasks = Tasks()
        self._swept = False  # see `sweep`
        self.closed = False  # lost connections are not reported any more

    def directory(self, pod: str) -> str:
        """The directory of a pod's shim."""
        return f"{self._folder}/{pod}"

    async def join(self, pod: str, member: str, spec: bytes = b"") -> PodShim:
        """The pod's shim, started if there is none, with one more member. `spec` is that of a sandbox container.

        Raises what `Launcher.start` raises, and Unavailable. Nothing is left then.
        """
        async with self._locks[pod]:
            shim = self._shims.get(pod)
            if shim is None or shim.is_lost:
                with Step("shim start"):
                    shim = await self._start(pod, spec)
                self._shims[pod] = shim
            shim.members.add(member)
            return shim

    def prestart(self, pod: str) -> None:
        """Start the pod's shim now, for a container that will soon join it. `join` reports a failure."""
        if pod not in self._shims and not self._locks[pod].locked():
            self._tasks.start(self._prestart(pod), name=f"start the shim of {pod[:12]}")

    async def _prestart(self, pod: str) -> None:
        async with self._locks[pod]:
            if pod not in self._shims:
                try:
                    self._shims[pod] = await self._start(pod, b"")
                except (PodwrightError, OSError) as failure:
                    log.debug("a shim is not started yet: pod=%s error=%s", pod[:12], failure)

    async def _start(self, pod: str, spec: bytes) -> PodShim:
        directory = self.directory(pod)
        if os.path.isdir(directory):  # of a shim that died
            await self._clean_up(pod)
        os.makedirs(directory, mode=0o700)
        try:
            config = spec or json.dumps({"annotations": {GROUP: pod}}).encode()
            write_new(f"{directory}/config.json", config, mode=0o600)
            os.mkfifo(f"{directory}/log", 0o600)
            await self._open_log(pod)
            address = await self._launcher.start(pod, directory)
            stored = json.dumps({"path": address.path, "version": address.version})
            write_new(f"{directory}/bootstrap.json", stored.encode(), mode=0o600)
            return await self._reach(pod, address)
        except BaseException:
            await asyncio.shield(self._clean_up(pod))
            raise

    async def _reach(self, pod: str, address: Address, *, patient: bool = False) -> PodShim:
        """Connect, and learn the shim's PID. Raises Unavailable, and DeadlineExceeded unless it is `patient`.

        A shim of an earlier daemon that does not answer may be slow on a busy host, and does not count as dead.
        """
        client = await connect(address.path, timeout_s=CONNECT_S)
        shim = PodShim(pod, address, ShimCalls(client, address.version, self._timeout_s))
        try:
            pid = (await shim.calls.connect(pod)).shim_pid
            shim.pid = pid if self._launcher.is_shim(pid, pod) else 0  # what it says is not enough to kill a process
        except DeadlineExceeded:
            if not patient:
                client.close()
                raise
            log.warning("a shim does not answer: pod=%s", pod[:12])
            shim.calls.hangs = True
            shim.pid = next(iter(self._launcher.find(pod)), 0)
        except Unavailable:
            client.close()
            raise
        except PodwrightError:  # not every shim knows its pod by this name: its process is not known then
            shim.pid = next(iter(self._launcher.find(pod)), 0)
        shim.start_time = proc.start_time(shim.pid) or 0
        return shim

    async def rejoin(self, pod: str, member: str) -> PodShim | None:
        """The shim that an earlier daemon started for the pod. None when it is gone, or does not answer."""
        async with self._locks[pod]:
            shim = self._shims.get(pod)
            if shim is None or shim.is_lost:
                address = self._stored(pod)
                if address is None or self.closed:
                    return None
                try:
                    shim = await self._reach(pod, address, patient=True)
                except PodwrightError as failure:
                    log.warning("a shim is not there any more: pod=%s error=%s", pod[:12], failure)
                    return None
                self._shims[pod] = shim
                with contextlib.suppress(PodwrightError):
                    await self._open_log(pod)
            shim.members.add(member)
            return shim

    async def _open_log(self, pod: str) -> None:
        directory = self.directory(pod)
        streams = {"stderr": f"{directory}/log"}
        await self._logs.open(f"{LOG}{pod}", f"{directory}/shim.log", streams, limit_bytes=SHIM_LOG_LIMIT_BYTES)

    def _stored(self, pod: str) -> Address | None:
        try:
            with open(f"{self.directory(pod)}/bootstrap.json", "rb") as file:
                document = json.load(file)
            return Address(path=str(document["path"]), version=int(document["version"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    async def leave(self, pod: str, member: str) -> None:
        """The container is gone. After the last one, end the shim. An unknown pod is cleaned up."""
        async with self._locks[pod]:
            shim = self._shims.get(pod)
            if shim is not None:
                shim.members.discard(member)
            if self._swept and (shim is None or not shim.members):
                await self._end(pod)

    async def _end(self, pod: str) -> None:
        """End the shim of a pod without containers, and remove what is left of it."""
        shim = self._shims.pop(pod, None)
        if shim is not None:
            await self._shut_down(shim)
        await self._clean_up(pod)

    async def _shut_down(self, shim: PodShim) -> None:
        with contextlib.suppress(PodwrightError):
            await shim.calls.shut_down(shim.pod)
        shim.calls.client.close()
        process = Process.adopt(shim.pid, shim.start_time) if shim.pid else None
        if process is None:
            return
        try:
            async with asyncio.timeout(END_S):
                await process.wait()
        except TimeoutError:
            log.warning("a shim does not end when it is asked to: pod=%s pid=%d", shim.pod[:12], shim.pid)

    async def _clean_up(self, pod: str) -> None:
        """Remove what is left: processes, the socket, the directory."""
        self.kill(pod)
        self._remove_sockets(pod)
        await self._logs.close_streams(f"{LOG}{pod}")
        shutil.rmtree(self.directory(pod), ignore_errors=True)

    def _remove_sockets(self, pod: str) -> None:
        """Of a shim that was killed. It may not have told where it listens: its start failed, or no daemon saw it."""
        address = self._stored(pod)
        paths = {self._launcher.usual_socket(pod), address.path if address else ""}
        for path in paths:
            if path.startswith("/"):
                with contextlib.suppress(OSError):
                    os.unlink(path)

    def kill(self, pod: str) -> None:
        """SIGKILL the pod's shim, if it has one."""
        shim = self._shims.get(pod)
        if shim is not None:
            shim.calls.client.close()
            if shim.pid:
                proc.kill(shim.pid, shim.start_time)
        if os.path.isdir(self.directory(pod)):
            self._launcher.kill(pod)

    async def sweep(self) -> None:
        """At start, after all containers were adopted: remove shims of pods without any.

        Before that, a pod without known containers may have others.
        """
        self._swept = True
        for pod in os.listdir(self._folder) if os.path.isdir(self._folder) else ():
            async with self._locks[pod]:
                shim = self._shims.get(pod)
                if shim is None or not shim.members:
                    log.warning("removing what is left of an unknown shim: pod=%s", pod[:12])
                    await self._end(pod)

    async def close(self) -> None:
        """The daemon ends. Shims continue."""
        self.closed = True
        await self._tasks.close()
        for shim in self._shims.values():
            shim.calls.client.close()
