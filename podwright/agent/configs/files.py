"""The files that the messages name: /etc/hosts, termination messages, files of variables.

Calls block, but not long.
"""

from __future__ import annotations

import os
import secrets

from podwright.agent.configs.env_file import LIMIT_BYTES, find_variable
from podwright.errors import InvalidArgument, NotFound
from podwright.linux.directories import ensure_directory
from podwright.linux.files import write_new
from podwright.linux.openat2 import read_in_root

HOSTS_MODE = 0o644
HOSTS_LIMIT = 10 * 1024 * 1024
CONTAINER_MODE = 0o750
LOG_MODE = 0o755
TERMINATION_MODE = 0o666  # every user of the container may write


def hosts_path(pod_directory: str) -> str:
    """The file that the pod's containers see as /etc/hosts."""
    return f"{pod_directory}/etc-hosts"


def write_hosts(path: str, contents: bytes) -> None:
    """Write the file in place: running containers have it mounted. Raises OSError, which names the file."""
    try:
        _write_hosts(path, contents)
    except OSError as failure:
        raise OSError(failure.errno, failure.strerror, path) from failure  # a failed write does not name the file


def _write_hosts(path: str, contents: bytes) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, HOSTS_MODE)
    with os.fdopen(fd, "rb+") as file:
        os.fchmod(file.fileno(), HOSTS_MODE)
        if file.read() != contents:
            file.seek(0)
            file.write(contents)
            file.truncate()


def make_termination_file(pod_directory: str, container: str) -> str:
    """Make a new empty file for one instance of the container. Returns its path. Raises OSError."""
    directory = f"{pod_directory}/containers"
    ensure_directory(directory, CONTAINER_MODE)
    directory = f"{directory}/{container}"
    ensure_directory(directory, CONTAINER_MODE)
    path = f"{directory}/{secrets.token_hex(4)}"
    write_new(path, b"", mode=TERMINATION_MODE)
    return path


def make_log_directory(path: str) -> None:
    """Make the directory for the logs of one container. Raises OSError."""
    ensure_directory(path, LOG_MODE)


def read_bytes(path: str, limit_bytes: int) -> bytes:
    """At most `limit_bytes` of a file of the node. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(limit_bytes)


def read_variable(volume: str, path: str, key: str) -> str:
    """The value of `key` in a file of a volume. Links stay inside the volume. Raises NotFound, InvalidArgument."""
    try:
        data = read_in_root(volume, path, LIMIT_BYTES + 1)
    except OSError as failure:
        raise InvalidArgument(f"{path}: {failure.strerror}") from failure
    if data is None:
        raise NotFound(f'couldn\'t parse env file: file "{path}" does not exist in its volume')
    if len(data) > LIMIT_BYTES:
        raise InvalidArgument(f"{path} is larger than {LIMIT_BYTES} bytes")
    return find_variable(data.decode(errors="surrogateescape"), key)
