"""conmon's command line and its answer. Pure, so that tables test both.

conmon holds the container's stdio, writes its log in CRI's format, waits for it, and writes its exit code to a file.
It outlives the daemon. One runs per container.
"""

from __future__ import annotations

import json

import msgspec

SYNC_FD = 3
# GLib refuses an argument that is not text in the locale. Names and paths are UTF-8 (RFC 3629, as protobuf demands).
LOCALE = "C.UTF-8"
COMPLAINT_LIMIT = 2000


class Monitored(msgspec.Struct, frozen=True, kw_only=True):
    """A container for conmon to create. `directory` is the bundle, which also holds its fifos and socket.

    `exits` is the directory for its exit file, and for the file that reports memory kills. An empty `log_path`
    discards the output. With CRIU's `images`, the container continues from them. The runtime looks for CRIU in
    `criu_directory` first.
    """

    id: str
    name: str
    directory: str
    exits: str
    log_path: str = ""
    terminal: bool = False
    stdin: bool = False
    stdin_once: bool = False
    images: str = ""
    criu_directory: str = ""


class CreateReply(msgspec.Struct, frozen=True, kw_only=True):
    """conmon's answer after the runtime's create: the container's PID, or the reason why there is none.

    `message` is empty if conmon gives no reason, or ends without an answer.
    """

    pid: int
    message: str = ""


def command_line(
    conmon: str, runtime: tuple[str, ...], container: Monitored, *, options: frozenset[str]
) -> tuple[str, ...]:
    """conmon's argv. `runtime` is the launcher and the OCI runtime with its global arguments.

    `options` are those that this conmon knows. Its own `--systemd-cgroup` is not used: it would put that argument
    before all others, where the launcher expects the OCI runtime.
    """
    binary, *arguments = runtime
    argv = [
        conmon,
        "--api-version",
        "--sync",  # no second fork: the child that we start is the monitor itself
        *("--cid", container.id),
        *("--cuuid", container.id),
        *("--name", container.name),
        *("--runtime", binary),
        *(f"--runtime-arg={argument}" for argument in arguments),
        *("--bundle", container.directory),
        *("--container-pidfile", f"{container.directory}/pidfile"),
        *("--exit-dir", container.exits),
        *("--persist-dir", container.exits),
        "--full-attach",
        *("--log-level", "error"),
        *("--log-path", f"k8s-file:{container.log_path}" if container.log_path else "none"),
    ]
    if container.images:
        argv += ["--restore", container.images]
    if container.terminal:
        argv.append("--terminal")
    if container.stdin:
        argv.append("--stdin")
        if container.terminal or not container.stdin_once:  # a terminal has no end of file to be passed on
            argv.append("--leave-stdin-open")
    if "--no-sync-log" in options:  # an fsync of the log at every exit, which no other runtime does
        argv.append("--no-sync-log")
    return tuple(argv)


def exit_file(container: Monitored) -> str:
    """Where conmon leaves the exit code."""
    return f"{container.exits}/{container.id}"


def oom_file(container: Monitored) -> str:
    """The file that conmon makes when the kernel reports a memory kill."""
    return f"{container.exits}/oom"


def parse_reply(line: bytes) -> CreateReply:
    """The line on the sync pipe: {"data": PID} (or {"pid": PID}), with a message when PID is negative."""
    try:
        reply = json.loads(line)
        return CreateReply(pid=int(reply.get("data", reply.get("pid", -1))), message=str(reply.get("message", "")))
    except (ValueError, TypeError, AttributeError):
        return CreateReply(pid=-1, message=line.decode(errors="replace").strip())


def complaint(stderr: bytes | bytearray) -> str:
    """conmon's stderr as the end of an error's message, or ""."""
    text = stderr.decode(errors="replace")[:COMPLAINT_LIMIT]
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return f" (conmon: {line})" if line else ""


def parse_exit_file(text: str) -> int:
    """The exit code, 128 + n for signal n. 255 if the file has no number."""
    try:
        return int(text.strip())
    except ValueError:
        return 255
