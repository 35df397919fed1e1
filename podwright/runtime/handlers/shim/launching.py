"""Runs a shim's program: its start and delete actions. And finds the processes that it has left."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import signal
import time

from google.protobuf.message import DecodeError

from podwright.errors import DeadlineExceeded, RuntimeFailed
from podwright.linux import proc
from podwright.process import Command, Completed, ProcessRunner
from podwright.runtime.handlers.shim import bootstrap
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.bootstrap import Address, Dialect, Launch

log = logging.getLogger(__name__)

OUTPUT_LIMIT_BYTES = 64 * 1024
DELETE_S = 20.0
GONE_TIMEOUT_S, POLL_S = 2.0, 0.005


class Launcher:
    """Starts the shims of one handler, and has their program clean up."""

    def __init__(self, launch: Launch, runner: ProcessRunner, timeout_s: float) -> None:
        """`timeout_s` is for the start action."""
        self.launch = launch
        self._runner = runner
        self._timeout_s = timeout_s
        self._dialect: Dialect | None = None  # the one that worked last

    async def start(self, pod: str, directory: str) -> Address:
        """Start the shim of a pod in `directory`. Returns where it listens.

        The bootstrap protocol is found by trying the older one first: shims since 2.3 refuse it cleanly, while some
        older shims take the newer one for options that they do not know. Raises RuntimeFailed with what the program
        said, DeadlineExceeded, and FailedPrecondition when it is missing. A failure leaves no process.
        """
        try:
            return await self._start(pod, directory)
        except BaseException:
            self.kill(pod)
            raise

    async def _start(self, pod: str, directory: str) -> Address:
        first = self._dialect or Dialect.OPTIONS
        done = await self._run_start(pod, directory, first)
        if done.returncode == 0:
            self._dialect = first
            return bootstrap.parse_answer(done.stdout)
        other = next(one for one in Dialect if one is not first)
        again = await self._run_start(pod, directory, other)
        if again.returncode != 0:
            both = dict.fromkeys((done.error_text(), again.error_text()))
            raise RuntimeFailed(f"{self.launch.binary} cannot be started: {'; or: '.join(both)}")
        self._dialect = other
        return bootstrap.parse_answer(again.stdout)

    async def _run_start(self, pod: str, directory: str, dialect: Dialect) -> Completed:
        argv = bootstrap.argv(self.launch, pod, "start")
        stdin = bootstrap.start_input(self.launch, pod, dialect)
        try:
            return await self._run(directory, argv, stdin, self._timeout_s)
        except DeadlineExceeded as late:
            raise DeadlineExceeded(f"{self.launch.binary} does not start within {self._timeout_s:g} s") from late

    async def delete(self, container_id: str, directory: str) -> pb.DeleteResponse | None:
        """Have the program remove a container whose shim is gone. None when it could not.

        `directory` is the container's bundle: the runc shim looks for that beside its working directory.
        """
        argv = bootstrap.argv(self.launch, container_id, "delete", directory)
        try:
            done = await self._run(directory, argv, b"", DELETE_S)
            if done.returncode == 0:
                return pb.DeleteResponse.FromString(done.stdout)
            reason = done.error_text()
        except DeadlineExceeded as late:
            reason = str(late)
        except DecodeError:
            reason = "its answer cannot be read"
        log.warning("a shim does not clean up: id=%s error=%s", container_id[:12], reason)
        return None

    async def _run(self, directory: str, argv: tuple[str, ...], stdin: bytes, timeout_s: float) -> Completed:
        """Run the program through env, because posix_spawn cannot set a child's working directory."""
        return await self._runner.run(
            Command(
                argv=("/usr/bin/env", f"--chdir={directory}", *argv),
                timeout_s=timeout_s,
                stdin=stdin,
                env=bootstrap.environment(self.launch),
                output_limit_bytes=OUTPUT_LIMIT_BYTES,
                drain_s=0.0,  # the shim itself may hold the pipes
            )
        )

    def find(self, pod: str) -> list[int]:
        """The processes of a pod's shim, by their command lines, whether or not it has ever answered."""
        return shim_processes(pod, self.launch.grpc_address)

    def usual_socket(self, pod: str) -> str:
        """Where the shim of a pod listens if it is made with containerd's package."""
        return bootstrap.usual_socket(self.launch, pod)

    def is_shim(self, pid: int, pod: str) -> bool:
        """Whether a process is a pod's shim, by its command line."""
        return _is_shim(pid, pod.encode(), self.launch.grpc_address.encode())

    def kill(self, pod: str) -> None:
        """SIGKILL the shim of a pod. Blocks until it has gone, which does not take long."""
        victims = self.find(pod)
        for pid in victims:
            log.warning("killing a shim: pod=%s pid=%d", pod[:12], pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + GONE_TIMEOUT_S
        while any(proc.start_time(pid) is not None for pid in victims) and time.monotonic() < deadline:
            time.sleep(POLL_S)


def shim_processes(pod: str, address: str) -> list[int]:
    """The processes that have `-id POD` and `-address ADDRESS` in their command lines, as every shim has."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if _is_shim(pid, pod.encode(), address.encode())]


def _is_shim(pid: int, pod: bytes, address: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:  # it has ended
        return False
    pairs = set(itertools.pairwise(words))
    return (b"-id", pod) in pairs and (b"-address", address) in pairs
