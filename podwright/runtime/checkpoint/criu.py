"""Whether this host can checkpoint. Checked for every checkpoint, because CRIU may be installed at any time."""

from __future__ import annotations

import re

from podwright.errors import FailedPrecondition, PodwrightError, Unimplemented
from podwright.process import Command, Completed, ProcessRunner, find_executable, search_path
from podwright.runtime.handlers.protocol import Handler

OLDEST = (3, 16)  # the first that dumps containers completely; other runtimes require it as well
TIMEOUT_S = 10.0
# gRPC's words for a call that a server does not have: by them clients know a node without checkpoints.
NOT_HERE = "unknown method CheckpointContainer"
VERSION = re.compile(r"^Version: (\d+)\.(\d+)", re.MULTILINE)


class Criu:
    """The program in `directory`. Empty means the standard directories."""

    def __init__(self, directory: str, runner: ProcessRunner) -> None:
        self._program = f"{directory}/criu" if directory else "criu"
        self.path = search_path(directory)
        self._runner = runner

    async def require(self, handler: Handler) -> None:
        """Raises Unimplemented with the reason if checkpoints are impossible."""
        if trouble := await self._host_trouble():
            raise Unimplemented(f"{NOT_HERE}: this host cannot checkpoint or restore: {trouble}")
        if not await handler.can_checkpoint():
            raise Unimplemented(
                f"{NOT_HERE}: the OCI runtime {handler.name} cannot checkpoint: "
                "it is built without CRIU, or lacks libcriu.so.2",
                hint="install libcriu2 (Debian 13), or use runc",
            )

    async def _host_trouble(self) -> str:
        """Why CRIU does not work here, or ""."""
        try:
            find_executable(self._program)
            answer = await self._run("--version")
            version = parse_version(answer.stdout.decode(errors="replace"))
            if version < OLDEST:
                return f"CRIU {'.'.join(map(str, version))} is older than {'.'.join(map(str, OLDEST))}"
            checked = await self._run("check")
        except FailedPrecondition as missing:
            return f"CRIU cannot be run: {missing}"
        except PodwrightError as failure:
            return f"CRIU does not answer: {failure}"
        return "" if checked.returncode == 0 else f"`criu check` finds fault: {last_words(checked)}"

    async def _run(self, *arguments: str) -> Completed:
        return await self._runner.run(Command(argv=(self._program, *arguments), timeout_s=TIMEOUT_S))


def parse_version(text: str) -> tuple[int, int]:
    """The version in the output of `criu --version`, or (0, 0)."""
    found = VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def last_words(checked: Completed) -> str:
    """The errors of a `criu check` in one line, its verdict last."""
    return " ".join(checked.error_text().split())[-300:] or f"it ends with {checked.shell_code}"
