"""An OCI runtime that fails on demand: crun behind a script that looks into a file for what to do wrong.

It does not say that it is crun, so that the daemon takes no short cuts that are for crun alone.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.faults.node import eventually
from tests.harness.podwright import Podwright, Settings

HANDLER = "faulty"
VERBS = "create|start|delete|exec|run|state|features|update"
SCRIPT = """\
#!/bin/sh
[ "$*" = --version ] && echo faulty version 1 && exit
hang() {{ echo "$verb" >>{folder}/hanging; sleep 1000; }}
verb=
for word in "$@"; do
    case "$word" in {verbs}) verb=$word; break ;; esac
done
fault=$(cat {folder}/fault 2>/dev/null)
case "$fault" in
    "fail $verb") echo "made up: no $verb today" >&2; exit 7 ;;
    "garbage $verb") head -c 100000 /dev/urandom; head -c 100000 /dev/urandom >&2; exit 0 ;;
    "hang after $verb") {crun} "$@"; hang ;;
    "hang after "*) exec {crun} "$@" ;;
    "hang *"|"hang "*"$verb"*) hang ;;
    "kill before $verb") rm {folder}/fault; kill -9 "$(cat {folder}/pid)"; {crun} "$@" ;;
    "kill instead of $verb") rm {folder}/fault; kill -9 "$(cat {folder}/pid)"; exit 1 ;;
    "kill after $verb") rm {folder}/fault; {crun} "$@"; code=$?; kill -9 "$(cat {folder}/pid)"; exit $code ;;
    *) exec {crun} "$@" ;;
esac
"""


class FaultyRuntime:
    """Owns a folder with the script and the fault that it commits."""

    def __init__(self, folder: Path) -> None:
        """Write the script."""
        folder.mkdir()
        self._folder = folder
        self.path = folder / "runtime"
        crun = shutil.which("crun")
        self.path.write_text(SCRIPT.format(verbs=VERBS, folder=folder, crun=crun))
        self.path.chmod(0o755)

    def settings(self, *, timeout_s: float = 60.0) -> Settings:
        """A daemon's configuration with this runtime beside the real one."""
        return {
            "default_handler": "crun",
            "handlers": {"crun": {}, HANDLER: {"path": str(self.path)}},
            "containers": {"runtime_timeout_s": timeout_s},
        }

    def commit(self, fault: str) -> None:
        """From now on: `hang VERB...`, `hang *`, `hang after VERB` (which was done), `fail VERB`, `garbage VERB`."""
        (self._folder / "hanging").write_text("")
        (self._folder / "fault").write_text(fault)

    async def hangs(self, verb: str, times: int = 1) -> None:
        """Wait until so many calls of the verb hang."""

        async def holds() -> bool:
            return (self._folder / "hanging").read_text().split().count(verb) >= times

        await eventually(holds, f"{verb} hangs {times} times")

    def kill(self, server: Podwright, when: str) -> None:
        """At `when` ("before create", "after start", "instead of delete"), once, the daemon gets SIGKILL."""
        (self._folder / "pid").write_text(str(server.process.pid))
        self.commit(f"kill {when}")

    def behave(self) -> None:
        """No fault any more."""
        (self._folder / "fault").unlink(missing_ok=True)

    @property
    def pending(self) -> bool:
        """Whether a kill was asked for and did not happen."""
        return (self._folder / "fault").exists()
