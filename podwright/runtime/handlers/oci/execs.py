"""What every exec has: files that the OCI runtime reads and writes, a mark on its processes, and an end.

    exec-MARK-TOKEN.json   the process to start
    exec-MARK-TOKEN.pid    its PID, from when its program runs
    exec-MARK-TOKEN.guest  its PID inside a sandbox
    exec-MARK-TOKEN.log    what the runtime warns of while it starts it

All are in the container's bundle, so that a daemon finds what a killed one was running for callers who are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import logging
import os
import signal
from collections.abc import Iterable
from typing import Any

import msgspec

from podwright.errors import PodwrightError
from podwright.linux import cgroup, proc
from podwright.linux.cgroup import CgroupHost
from podwright.linux.files import remove_file, write_new
from podwright.runtime.handlers.oci import marks
from podwright.runtime.handlers.oci.runtime import OciRuntime, RuntimeExec, last_record, plain
from podwright.runtime.handlers.protocol import Bundle, ExecProcess

log = logging.getLogger(__name__)

KILLED_TIMEOUT_S = 2.0


def prepare(bundle: Bundle, process: ExecProcess) -> RuntimeExec:
    """Write the process file. Raises OSError."""
    stem = f"{bundle.directory}/{marks.new_token()}"
    wanted = RuntimeExec(
        container_id=bundle.id,
        stem=stem,
        owner=process.owner,
        oom_score_adj=process.spec.get("oomScoreAdj", 0),
        mark=marks.of_path(stem),
    )
    write_new(wanted.process_file, msgspec.json.encode(process.spec), mode=0o600)
    return wanted


def remove_files(stem: str) -> None:
    """Delete the files of an exec. Absent ones are skipped. The daemon's log keeps what its runtime said."""
    if log.isEnabledFor(logging.DEBUG) and (record := last_record(f"{stem}.log")):
        container = os.path.basename(os.path.dirname(stem))
        log.debug("runtime reports of an exec: id=%s record=%s", container[:12], plain(record))
    for kind in ("json", "pid", "guest", "log"):
        remove_file(f"{stem}.{kind}")


async def hangs(running: asyncio.Future[Any], pid_file: str, patience_s: float) -> bool:
    """Whether the runtime of an exec hangs. False if it has ended. Waits until either is known.

    It may take `patience_s` to start the command, and as long again after the command's end to report it.
    """
    ended = False
    while not (await asyncio.wait({running}, timeout=patience_s))[0]:
        pid = read_pid(pid_file)
        command = proc.stat(pid) if pid is not None else None
        runs = command is not None and not command.is_zombie
        if pid is None or (ended and not runs):
            return True
        ended = not runs
    return False


def kill(host: CgroupHost, path: str, stem: str) -> None:
    """SIGKILL the command of an exec and all its descendants, also those that became daemons. Blocks."""
    marked = _marks([stem])
    if (pid := read_pid(f"{stem}.pid")) is not None:
        proc.kill_tree(pid)
    marks.kill_marked(host, path, marked)


async def kill_guest(runtime: OciRuntime, container_id: str, stem: str) -> None:
    """SIGKILL the command of an exec inside a sandbox. The runtime knows no way to its descendants."""
    pid = read_pid(f"{stem}.guest")
    if pid is not None:
        with contextlib.suppress(PodwrightError):  # it has ended
            await runtime.kill(container_id, signal.SIGKILL, f"--pid={pid}")


def end_abandoned(host: CgroupHost, bundle: Bundle) -> None:
    """At start: kill what a killed daemon was running for callers who are gone, and delete its files. Blocks."""
    paths = glob.glob(glob.escape(f"{bundle.directory}/exec-") + "*")
    if paths:
        abandoned = {read_pid(path) for path in paths if path.endswith(".pid")}
        marked = _marks({os.path.splitext(path)[0] for path in paths})
        for pid in cgroup.processes(host, bundle.cgroup) & abandoned:
            proc.kill_tree(pid)
        marks.kill_marked(host, bundle.cgroup, marked)
    for path in paths:
        os.unlink(path)


def _marks(stems: Iterable[str]) -> dict[int, int]:
    """The marks of execs, each with the start time of its command, or 0 if that has ended or has not begun."""
    found = {}
    for stem in stems:
        pid = read_pid(f"{stem}.pid")
        if (mark := marks.of_path(stem)) is not None:
            found[mark] = (proc.start_time(pid) if pid is not None else None) or 0
    return found


def read_pid(path: str) -> int | None:
    """The PID that the runtime wrote, or None if it has started nothing."""
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (FileNotFoundError, ValueError):
        return None
