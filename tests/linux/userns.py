"""A user namespace for tests, by util-linux' own unshare."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator


@contextlib.contextmanager
def child_in_user_namespace(mapping: str, *options: str) -> Iterator[int]:
    """The PID of a process in a new user namespace with that line as uid_map and gid_map."""
    with subprocess.Popen(
        ["unshare", "--user", *options, "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write("there\n")
            child.stdin.flush()
            assert child.stdout.readline() == "there\n"
            for name in ("uid_map", "gid_map"):
                with open(f"/proc/{child.pid}/{name}", "w") as file:
                    file.write(mapping)
            yield child.pid
        finally:
            child.kill()
