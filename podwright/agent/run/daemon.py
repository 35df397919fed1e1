"""The CRI server of a run: the one that answers at the endpoint, or an embedded daemon for the life of the run.

Embedded daemons live in numbered slots, so that concurrent runs do not share one, and a run finds the images of an
earlier run. A run holds the lock of its slot. A daemon in a slot whose lock is free belongs to a killed run, and is
stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

import msgspec

import podwright
from podwright.agent.run.stop import StopRequest
from podwright.cri.client import CriClient
from podwright.cri.endpoint import DEFAULT_ENDPOINT, normalise, socket_path
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, PodwrightError, Unavailable
from podwright.process import Command, PosixProcessRunner, Process

log = logging.getLogger(__name__)

DEFAULT_EMBEDDED_ROOT = "/var/lib/podwright/run"
DEFAULT_EMBEDDED_STATE = "/run/podwright/run"
SLOTS_MAX = 64
READY_TIMEOUT_S = 60.0  # a busy machine takes more than ten
STOP_TIMEOUT_S = 15.0
KILL_TIMEOUT_S = 5.0
PROBE_TIMEOUT_S = 5.0
POLL_S = 0.02
LOG_TAIL_BYTES = 2000


class ServerOptions(Protocol):
    """The options of a run about its server: see `RunOptions`."""

    @property
    def endpoint(self) -> str | None:
        """The endpoint of the server. None means our daemon's default socket."""

    @property
    def detach(self) -> bool:
        """Whether the pods outlive the run, and need a server that does."""

    @property
    def config_file(self) -> str | None:
        """The embedded daemon's `--config`."""

    @property
    def embedded_root(self) -> str:
        """The directory of embedded daemons' data."""

    @property
    def embedded_state(self) -> str:
        """The directory of embedded daemons' state, which is gone after a reboot."""


class RunServer(msgspec.Struct, frozen=True, kw_only=True):
    """A CRI server that answers. An `embedded` one ends with the run, which alone uses it."""

    endpoint: str
    name: str
    version: str
    embedded: bool = False


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """The directories of one embedded daemon."""

    root: str
    state: str

    @property
    def endpoint(self) -> str:
        """The daemon's socket."""
        return normalise(os.path.join(self.state, "podwright.sock"))

    @property
    def log_file(self) -> str:
        """The daemon's standard output and error."""
        return os.path.join(self.state, "serve.log")


@contextlib.asynccontextmanager
async def server_for(
    options: ServerOptions, stop: StopRequest, tell: Callable[[str], object]
) -> AsyncIterator[RunServer]:
    """The server that this run uses. `tell` is called with a message before one is started, which takes a moment.

    Raises FailedPrecondition (detach without a daemon) and Unavailable.
    """
    endpoint = normalise(options.endpoint or DEFAULT_ENDPOINT)
    found = await probe(endpoint)
    if found is not None:
        yield found
        return
    if options.detach:
        raise FailedPrecondition(
            f"no CRI server answers at {endpoint}, and a detached pod needs one that stays",
            hint="start one with: podwright serve",
        )
    tell("starting podwright serve for this run")
    with held_slot(options) as slot:
        async with embedded(slot, options.config_file, stop) as server:
            yield server


async def probe(endpoint: str, timeout_s: float = PROBE_TIMEOUT_S) -> RunServer | None:
    """The server at the endpoint. None if nothing listens. Raises PodwrightError if it is no CRI server."""
    if not _listens(socket_path(endpoint)):
        return None
    async with CriClient(endpoint) as cri:
        version = await cri.call(cri.runtime.Version, api.VersionRequest(), timeout_s=timeout_s)
    return RunServer(endpoint=endpoint, name=version.runtime_name, version=version.runtime_version)


def _listens(path: str) -> bool:
    """Whether a connection is accepted. Raises FailedPrecondition without the permission to connect."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(PROBE_TIMEOUT_S)
        try:
            client.connect(path)
        except PermissionError as failure:
            raise FailedPrecondition(f"no permission to use {path}", hint="run as root") from failure
        except OSError:
            return False
    return True


@contextlib.contextmanager
def held_slot(options: ServerOptions) -> Iterator[Slot]:
    """Hold the first free slot. Raises FailedPrecondition."""
    for number in range(SLOTS_MAX):
        slot = Slot(
            root=os.path.join(options.embedded_root, str(number)),
            state=os.path.join(options.embedded_state, str(number)),
        )
        try:
            os.makedirs(slot.root, mode=0o711, exist_ok=True)
            os.makedirs(slot.state, mode=0o711, exist_ok=True)
            descriptor = os.open(f"{slot.root}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as failure:
            raise FailedPrecondition(
                f"cannot make {failure.filename or slot.root}: {failure.strerror}", hint="run as root"
            ) from failure
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            yield slot
        finally:
            os.close(descriptor)
        return
    raise FailedPrecondition(f"all {SLOTS_MAX} slots below {options.embedded_root} are in use")


@contextlib.asynccontextmanager
async def embedded(slot: Slot, config_file: str | None, stop: StopRequest) -> AsyncIterator[RunServer]:
    """Run a daemon in the slot during the block. Raises Unavailable if it does not start."""
    await asyncio.to_thread(_stop_orphan, socket_path(slot.endpoint))
    process = _start(slot, config_file)
    try:
        version = await stop.interruptible(_ready(slot, process))
        yield RunServer(
            endpoint=slot.endpoint,
            name=version.runtime_name,
            version=version.runtime_version,
            embedded=True,
        )
    finally:
        await asyncio.shield(_end(process))


def serve_command(slot: Slot, config_file: str | None, fds: dict[int, int]) -> Command:
    """The command that starts the daemon: our own interpreter, without the current directory on its path."""
    argv = [sys.executable, "-P", "-m", "podwright", "serve"]
    argv += ["--root", slot.root, "--state", slot.state, "--listen", slot.endpoint]
    argv += ["--config", config_file] if config_file else []
    source = os.path.dirname(os.path.dirname(os.path.abspath(podwright.__file__)))
    path = os.pathsep.join(part for part in (source, os.environ.get("PYTHONPATH")) if part)
    return Command(argv=tuple(argv), timeout_s=0, env={**os.environ, "PYTHONPATH": path}, fds=fds)


def _start(slot: Slot, config_file: str | None) -> Process:
    log_fd = os.open(slot.log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        command = serve_command(slot, config_file, {1: log_fd, 2: log_fd})
        return PosixProcessRunner().start(command)
    finally:
        os.close(log_fd)


async def _ready(slot: Slot, process: Process) -> api.VersionResponse:
    """Wait until the daemon answers. The channel is made after it listens: an earlier one would back off."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.returncode is not None:
            raise Unavailable(f"podwright serve ended with code {process.returncode}: {_last_words(slot)}")
        if _listens(socket_path(slot.endpoint)):
            with contextlib.suppress(Unavailable):
                async with CriClient(slot.endpoint) as cri:
                    return await cri.call(cri.runtime.Version, api.VersionRequest(), PROBE_TIMEOUT_S)
        await asyncio.sleep(POLL_S)
    raise Unavailable(f"podwright serve did not answer within {READY_TIMEOUT_S:g} s: {_last_words(slot)}")


def _last_words(slot: Slot) -> str:
    try:
        with open(slot.log_file, "rb") as file:
            text = file.read()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
    except OSError:
        text = ""
    return text or f"see {slot.log_file}"


async def _end(process: Process) -> None:
    for number, timeout_s in ((signal.SIGTERM, STOP_TIMEOUT_S), (signal.SIGKILL, KILL_TIMEOUT_S)):
        process.signal(number)
        try:
            await asyncio.wait_for(process.wait(), timeout_s)
        except TimeoutError:
            log.warning("the embedded daemon did not end: pid=%d signal=%d", process.pid, number)
        else:
            return


def _stop_orphan(path: str) -> None:
    """End the daemon of a killed run in our slot: the process that listens on the slot's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(PROBE_TIMEOUT_S)
        try:
            client.connect(path)
        except OSError:
            return
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid = struct.unpack("3i", credentials)[0]
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number, timeout_s in ((signal.SIGTERM, STOP_TIMEOUT_S), (signal.SIGKILL, KILL_TIMEOUT_S)):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, number)
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            if poll.poll(timeout_s * 1000):
                return
    finally:
        os.close(pidfd)
    raise PodwrightError(f"the daemon of an earlier run (pid {pid}) does not end")
