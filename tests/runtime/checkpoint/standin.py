"""A stand-in for a host with CRIU: its own `criu`, and an OCI runtime that checkpoints and restores as runc does.

But what it restores begins anew. Everything else of the runtime is the real runc's. Files beside it tell it to fail or
to hang.
"""

from __future__ import annotations

import shutil
from pathlib import Path

CRIU = """#!/bin/sh
case "$1" in
    --version) echo "Version: 4.1" ;;
    check) echo "Looks good." ;;
    *) exit 1 ;;
esac
"""
# As runc: an unknown container and a missing criu are failures, images and dump.log are files in the directories.
RUNTIME = """#!/bin/sh
here=${{0%/*}}
case " $* " in
    *" checkpoint --help "*) exit 0 ;;
    *" restore "*)
        for argument; do
            case "$argument" in
                --root=*) root=$argument ;;
                --bundle | --pid-file | --image-path) option=$argument; continue ;;
            esac
            case "$option" in
                --bundle) bundle=$argument ;;
                --pid-file) pid_file=$argument ;;
                --image-path) images=$argument ;;
            esac
            option=
            id=$argument
        done
        criu --version > /dev/null && test -s "$images/pages-1.img" || exit 1
        cat "$images/pages-1.img" >> "$here/restored"
        exec {runc} "$root" run --detach --bundle "$bundle" --pid-file "$pid_file" "$id" ;;
    *" checkpoint "*) ;;
    *) exec {runc} "$@" ;;
esac
for argument; do
    case "$argument" in
        --root=*) root=$argument ;;
        --image-path=*) images=${{argument#*=}} ;;
        --work-path=*) work=${{argument#*=}} ;;
        --leave-running) stays=yes ;;
    esac
    id=$argument
done
criu --version > /dev/null && test "$stays" = yes || exit 1
{runc} "$root" state "$id" > "$images/inventory.img" || exit 1
echo "pages of $id" > "$images/pages-1.img"
echo "(00.010000) Dumping finished successfully" > "$work/dump.log"
echo stats > "$work/stats-dump"
touch "$here/began"
while test -e "$here/hang"; do sleep 0.02; done
if test -e "$here/fail" && grep -q "$id" "$here/fail"; then
    echo "(00.020000) Error (criu/sk-inet.c:191): inet: Connected TCP socket" >> "$work/dump.log"
    printf '%s' 'time="2026-01-01T00:00:00Z" level=error msg="criu failed: type NOTIFY errno 0\\nlog file: /x"' >&2
    exit 1
fi
"""


class StandIn:
    """The two programs in `folder`."""

    def __init__(self, folder: Path) -> None:
        runc = shutil.which("runc", path="/usr/sbin:/usr/bin:/sbin:/bin")
        self.folder = folder
        self.runtime = folder / "runtime"
        self.began = folder / "began"
        self._hang, self._fail = folder / "hang", folder / "fail"
        for path, text in ((folder / "criu", CRIU), (self.runtime, RUNTIME.format(runc=runc))):
            path.write_text(text)
            path.chmod(0o755)

    def settings(self) -> dict[str, object]:
        """The daemon's configuration for it."""
        return {
            "handlers": {"standin": {"path": str(self.runtime)}},
            "checkpoint": {"criu_dir": str(self.folder)},
        }

    def hang(self) -> None:
        """Dumps do not end until `go_on`."""
        self._hang.touch()

    def go_on(self) -> None:
        """Dumps end."""
        self._hang.unlink(missing_ok=True)

    def fail(self, *container_ids: str) -> None:
        """The dumps of these fail from now on."""
        self._fail.write_text("\n".join(container_ids))
