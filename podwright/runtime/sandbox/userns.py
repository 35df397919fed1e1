"""User namespaces of pods: creation together with the namespaces inside, pins, and detection.

The kernel gives a new user namespace only to single-threaded processes, so a child does it: unshare(1) creates the
namespaces and becomes cat(1), which reports that they exist and lives until its input ends. Meanwhile we write the
mappings and pin the namespaces. After that no process is needed.

Called by the sandbox service for pods, by the room of containers for mounts with mappings, and by Status. Programs
run through the ProcessRunner, and blocking steps run in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import stat
from collections.abc import AsyncIterator, Iterable, Mapping
from io import FileIO

from podwright.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument, PodwrightError
from podwright.linux import detached, mount, namespaces
from podwright.process import Command, Process, ProcessRunner, read_line
from podwright.runtime.handlers.protocol import Handler
from podwright.runtime.model.base import IdMapping, UserNamespace
from podwright.runtime.model.sandbox import SandboxConfig
from podwright.runtime.sandbox import host_parts, sysctls
from podwright.runtime.sandbox.paths import SandboxPaths

CHILD_TIMEOUT_S = 10.0
LINE_LIMIT_BYTES = 1000
HELLO = b"made"
UNSHARE_OPTIONS = {"user": "-U", "net": "-n", "ipc": "-i", "uts": "-u"}
# Any range shows whether the kernel can map ids.
TRY_AGAIN_AFTER_S = 10.0  # otherwise each Status of a host without user namespaces would start two processes
TRIAL = (IdMapping(host_id=65536, container_id=0, length=65536),)


class UserNamespaces:
    """The user namespaces that this daemon can make. `root` and `state` are its directories."""

    def __init__(self, runner: ProcessRunner, *, root: str, state: str) -> None:
        """Nothing is tested before the first question."""
        self._runner = runner
        self._root = root
        self._state = state
        self._trial = asyncio.Lock()
        self._works = False
        self._failure = ""
        self._try_again_at = float("-inf")

    async def make(self, config: SandboxConfig, paths: SandboxPaths) -> None:
        """Pin the pod's user namespace and the namespaces inside it, and set them up. `host_parts.unmake` undoes it.

        Raises FailedPrecondition if the kernel refuses, InvalidArgument for a sysctl value, and OSError.
        """
        user = config.security.namespaces.own_user
        if user is None:
            raise InvalidArgument("the pod has no user namespace of its own")
        pins = host_parts.pinned_paths(config, paths)
        async with self._child(pins, user) as pid:
            await asyncio.to_thread(namespaces.pin, f"/proc/{pid}", pins)
        joined = {kind: path for kind, path in pins.items() if kind != "user"}
        await asyncio.to_thread(namespaces.run_in_all, joined, lambda: host_parts.set_up_inside(config, joined))
        for name, value in host_parts.ipc_sysctls(config).items():
            await self._write_as_root_inside(pins, name, value)

    @contextlib.asynccontextmanager
    async def opened(self, user: UserNamespace) -> AsyncIterator[int]:
        """A descriptor of a new user namespace with these mappings, for idmapped mounts. Raises FailedPrecondition."""
        async with self._child(("user",), user) as pid:
            fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield fd
        finally:
            os.close(fd)

    async def check(self, handler: Handler) -> None:
        """Raises FailedPrecondition with the reason if pods of that handler cannot have user namespaces here."""
        if not handler.capabilities.user_namespaces:
            raise FailedPrecondition(f"the OCI runtime of handler {handler.name!r} does not support user namespaces")
        if reason := await self.lacking():
            raise FailedPrecondition(f"user namespaces are not supported on this host: {reason}")

    async def lacking(self) -> str:
        """What the host lacks for pods with user namespaces. Empty if they work, which is tested once.

        A failed test is repeated after a while, because an administrator may have changed the host.
        """
        async with self._trial:
            if self._works:
                return ""
            if closed := _closed_directory(self._state):
                return f"{closed} keeps others than root out (chmod o+x, or choose another --state)"
            now = asyncio.get_running_loop().time()
            if now >= self._try_again_at:
                self._try_again_at = now + TRY_AGAIN_AFTER_S
                self._failure = await self._try()
                self._works = not self._failure
            return self._failure

    async def _try(self) -> str:
        try:
            async with self.opened(UserNamespace(uids=TRIAL, gids=TRIAL)) as fd:
                await asyncio.to_thread(try_idmapped_overlay, self._root, self._state, fd)
        except PodwrightError as failure:
            return failure.message
        except OSError as failure:
            return f"idmapped mounts below {self._root}: {failure.strerror}"
        return ""

    @contextlib.asynccontextmanager
    async def _child(self, kinds: Iterable[str], user: UserNamespace) -> AsyncIterator[int]:
        """The PID of a process in new namespaces of these kinds. The process ends with the context."""
        argv = ("unshare", *sorted(UNSHARE_OPTIONS[kind] for kind in kinds), "cat")
        with contextlib.ExitStack() as ends:
            theirs, ours = _pipe(ends)
            answer, said = _pipe(ends)
            child = self._runner.start(
                Command(
                    argv=argv, timeout_s=CHILD_TIMEOUT_S, fds={0: theirs.fileno(), 1: said.fileno(), 2: said.fileno()}
                )
            )
            try:
                said.close()  # so that we see the end of a child that reports nothing
                ours.write(HELLO + b"\n")
                await _hear(answer.fileno())
                _write_mappings(child.pid, user)
                yield child.pid
            finally:
                await asyncio.shield(_end(child))

    async def _write_as_root_inside(self, pins: Mapping[str, str], name: str, value: str) -> None:
        """Write an IPC sysctl. Only the root of the user namespace can write it, not the host's."""
        path = sysctls.path(name)
        argv = ("nsenter", f"--user={pins['user']}", f"--ipc={pins['ipc']}", "--setuid=0", "--setgid=0", "tee", path)
        written = await self._runner.run(Command(argv=argv, timeout_s=CHILD_TIMEOUT_S, stdin=value.encode()))
        if written.returncode:
            raise InvalidArgument(f"sysctl {name}={value!r}: {written.error_text()}")


def try_idmapped_overlay(root: str, state: str, user_namespace: int) -> None:
    """Mount a small version of a container's root: an overlay over an idmapped layer. Raises OSError.

    Leaves nothing.
    """
    data, trial = f"{root}/userns-trial", f"{state}/userns-trial"
    lower, merged = f"{trial}/lower", f"{trial}/merged"
    try:
        for folder in (f"{data}/layer", f"{data}/upper", f"{data}/work", lower, merged):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        with detached.cloned(f"{data}/layer", recursive=False) as tree:
            detached.map_ids(tree, user_namespace)
            detached.attach(tree, lower)
        overlay = mount.Overlay(target=merged, lower=(lower,), upper=f"{data}/upper", work=f"{data}/work")
        mount.mount_overlay(overlay)
    finally:
        for target in (merged, lower):
            detached.detach(target)
        for folder in (data, trial):
            shutil.rmtree(folder, ignore_errors=True)


def _closed_directory(path: str) -> str:
    """The first directory on the way to `path` that only its owner can traverse.

    A pod's root is not the host's root.
    """
    parts = os.path.realpath(path).split("/")
    for end in range(1, len(parts) + 1):
        folder = "/".join(parts[:end]) or "/"
        if not os.stat(folder).st_mode & stat.S_IXOTH:
            return folder
    return ""


def _write_mappings(pid: int, user: UserNamespace) -> None:
    for name, mappings in (("uid_map", user.uids), ("gid_map", user.gids)):
        text = "".join(f"{entry.container_id} {entry.host_id} {entry.length}\n" for entry in mappings)
        try:
            with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
                file.write(text)
        except OSError as failure:
            raise FailedPrecondition(f"{name} {text.strip()!r} cannot be written: {failure.strerror}") from failure


def _pipe(ends: contextlib.ExitStack) -> tuple[FileIO, FileIO]:
    reader, writer = os.pipe2(os.O_CLOEXEC)
    return ends.enter_context(FileIO(reader, "r")), ends.enter_context(FileIO(writer, "w"))


async def _hear(fd: int) -> None:
    """Wait until the child reports that the namespaces exist. Raises FailedPrecondition, DeadlineExceeded."""
    try:
        async with asyncio.timeout(CHILD_TIMEOUT_S):
            answer = await read_line(fd, LINE_LIMIT_BYTES)
    except TimeoutError as late:
        raise DeadlineExceeded(f"unshare did not make a user namespace within {CHILD_TIMEOUT_S:g} s") from late
    if answer != HELLO:
        raise FailedPrecondition(f"cannot make a user namespace: {answer.decode(errors='replace')}")


async def _end(child: Process) -> None:
    child.kill_group()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(child.wait(), CHILD_TIMEOUT_S)
