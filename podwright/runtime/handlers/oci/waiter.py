"""The program that conmon runs as the OCI runtime when containers are no processes of this host (gVisor).

conmon waits for the process whose PID the runtime wrote. Such a runtime writes that of the whole pod's sandbox, which
is no child of conmon and ends with the pod. So the waiter has the runtime create the container, leaves a process that
has the runtime wait for it and ends with its exit code, and writes that process's PID down instead.

It also starts the container: a container in a sandbox gets the stdio and the terminal of the runtime's `start`.

It is a script for the host's shell, which takes a twentieth of the memory that an interpreter of Python does: there
is one as long as the container runs. It runs its own arguments and nothing else.
"""

from __future__ import annotations

import os

from podwright.runtime.handlers.oci import launcher

SCRIPT = """#!/bin/sh
# Usage: waiter RUNTIME [OPTION...] create ... --pid-file FILE ... ID
"$@" || exit
seen=
for word do
    [ -n "$seen" ] || { set --; seen=1; }
    [ "${last-}" != --pid-file ] || pid_file=$word
    last=$word
    [ "$word" != create ] || command=$word
    [ -n "${command-}" ] || set -- "$@" "$word"
done
"$@" start "$last" || exit
wait_for_end() {
    answer=$("$@" wait "$last") || exit 137  # its sandbox is gone
    answer=${answer##*:}
    exit "${answer%%\\}*}"
}
wait_for_end "$@" </dev/null >/dev/null 2>&1 &
echo "$!" >"$pid_file"
"""


def install(path: str) -> tuple[str, ...]:
    """What stands before the runtime in an argv. Writes it to `path`. Raises OSError."""
    os.makedirs(os.path.dirname(path), mode=0o711, exist_ok=True)
    launcher.put(path, SCRIPT.encode())
    return (path,)
