"""Reads termination messages of containers, once for each instance, when a status is built after its end.

The message is a file in the pod's directory that the agent mounted into the container: its last 4096 bytes. If the
policy says so, the end of the log takes its place for a container that failed without a message (getTerminationMessage
of pkg/kubelet/kuberuntime of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping

import msgspec

from podwright.agent.pods.identity import TERMINATION_MESSAGE_PATH, TERMINATION_MESSAGE_POLICY
from podwright.agent.pods.places import pod_directory
from podwright.agent.runtime.records import CriContainerState, CriContainerStatus, ObservedPod
from podwright.crilog.tail import read_tail
from podwright.linux.openat2 import open_in_root, opened_root

FILE_LIMIT_BYTES = 4096
LOG_LIMIT_BYTES = 2048
LOG_LINES = 80
FALLBACK_TO_LOGS = "FallbackToLogsOnError"
CANNOT_RUN = "ContainerCannotRun"  # the container never ran and has no log
SHOWN_INSTANCES = 2  # the newest is the state, the one before it the last state


class MessageSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where an instance's message is: a file on the host, and a log to fall back to. Each empty if there is none."""

    file: str = ""
    log: str = ""


def message_source(status: CriContainerStatus, pod_directory: str) -> MessageSource:
    """The source of an instance's message, from the container's annotations and the runtime's mounts.

    Only a file in the pod's directory counts, because a volume can be mounted at the same path.
    """
    path = status.annotations.get(TERMINATION_MESSAGE_PATH, "")
    mounted = [
        mount.host_path
        for mount in status.mounts
        if path and mount.container_path == _absolute(path) and mount.host_path.startswith(f"{pod_directory}/")
    ]
    falls_back = (
        status.annotations.get(TERMINATION_MESSAGE_POLICY) == FALLBACK_TO_LOGS
        and status.exit_code != 0
        and status.reason != CANNOT_RUN
    )
    return MessageSource(file=mounted[0] if mounted else "", log=status.log_path if falls_back else "")


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def read_message(source: MessageSource, pod_directory: str, log_root: str) -> str:
    """The message, or why it cannot be read. Blocks for two small reads."""
    if source.file:
        try:
            with _opened(pod_directory, source.file) as descriptor:
                size = os.fstat(descriptor).st_size
                data = os.pread(descriptor, FILE_LIMIT_BYTES, max(0, size - FILE_LIMIT_BYTES))
            if data:
                return data.decode(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as failure:
            return f"Error on reading termination log {source.file}: {failure.strerror or failure}"
    if not source.log:
        return ""
    try:
        with _opened(log_root, source.log) as descriptor:
            tail = read_tail(descriptor, lines=LOG_LINES, limit_bytes=LOG_LIMIT_BYTES)
            return tail.decode(errors="replace")
    except OSError as failure:
        return f"Error on reading termination message from logs: {failure.strerror or failure}"


@contextlib.contextmanager
def _opened(root: str, path: str) -> Iterator[int]:
    """Open a regular file below a directory. Follows links only inside of it. Raises OSError."""
    if not path.startswith(f"{root}/"):
        raise FileNotFoundError(2, f"not below {root}", path)
    with opened_root(root) as root_descriptor:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
        descriptor = open_in_root(root_descriptor, path.removeprefix(f"{root}/"), flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(22, "it is not a regular file", path)
        yield descriptor
    finally:
        os.close(descriptor)


class TerminationMessages:
    """Keeps the messages of ended instances for as long as the runtime has them."""

    def __init__(self, root: str, log_root: str) -> None:
        """`root` is the agent's directory, `log_root` that of all pods' logs."""
        self._root = root.rstrip("/")
        self._log_root = log_root.rstrip("/")
        self._messages: dict[str, dict[str, str]] = {}  # by pod, then by container id

    async def of(self, observed: ObservedPod) -> Mapping[str, str]:
        """The messages of the pod's ended instances that a status shows, by container id.

        A thread reads new messages, without a deadline, because the files are on this machine. An instance that the
        runtime shows without its mounts, as it may in an event, is read at the next call.
        """
        known = self._messages.get(observed.uid, {})
        directory = pod_directory(self._root, observed.uid)
        ends = _shown_ends(observed)
        sources = {end.id: message_source(end, directory) for end in ends if end.id not in known}
        unread = {identifier: source for identifier, source in sources.items() if source.file or source.log}
        messages = {end.id: known.get(end.id, "") for end in ends}
        if unread:
            messages |= await asyncio.to_thread(_read_all, unread, directory, self._log_root)
        self._keep(observed.uid, {end.id: messages[end.id] for end in ends if _is_whole(end)})
        return messages

    def _keep(self, uid: str, messages: dict[str, str]) -> None:
        if messages:
            self._messages[uid] = messages
        else:
            self._messages.pop(uid, None)

    def retain(self, uids: Collection[str]) -> None:
        """Drop the messages of all pods except these."""
        self._messages = {uid: messages for uid, messages in self._messages.items() if uid in uids}


def _is_whole(status: CriContainerStatus) -> bool:
    return bool(status.mounts) or not status.annotations.get(TERMINATION_MESSAGE_PATH)


def _shown_ends(observed: ObservedPod) -> list[CriContainerStatus]:
    """The ended instances among the newest two of each container."""
    seen: dict[str, int] = {}
    found = []
    for status in observed.containers:
        seen[status.name] = seen.get(status.name, 0) + 1
        if seen[status.name] <= SHOWN_INSTANCES and status.state is CriContainerState.EXITED:
            found.append(status)
    return found


def _read_all(sources: Mapping[str, MessageSource], pod_directory: str, log_root: str) -> dict[str, str]:
    return {identifier: read_message(source, pod_directory, log_root) for identifier, source in sources.items()}
