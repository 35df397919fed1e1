"""Commands inside a virtual machine, by ssh over loopback."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.vm.failure import VmError
from tools.vm.image import Image
from tools.vm.qemu import Accelerator
from tools.vm.recipe import TREE

CONNECT_TIMEOUT_S = 20
COPY_TIMEOUT_S = 600.0
CLEAR_TREE = f"find {TREE} -mindepth 1 -not -path '*.egg-info*' -delete"
ENDED_S = 30.0
# The brackets keep the pattern from matching this shell's own command line.
END_TESTS = (
    "pkill -INT -f '[m] pytest'; timeout 300 sh -c 'while pgrep -f \"[m] pytest\"; do sleep 2; done' > /dev/null"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """root's login. One connection carries all commands, because a handshake takes seconds without KVM."""

    image: Image
    port: int
    directory: Path  # for the connection's socket
    accelerator: Accelerator

    def argv(self, command: Sequence[str]) -> tuple[str, ...]:
        """ssh's command line; its own settings and keys must not matter."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": str(CONNECT_TIMEOUT_S),
            "ControlMaster": "auto",
            "ControlPath": str(self.directory / "ssh"),
            "ControlPersist": "600",
            "IdentitiesOnly": "yes",
            "IdentityFile": str(self.image.key),
            "LogLevel": "ERROR",
            "ServerAliveInterval": "60",
            "ServerAliveCountMax": "10",
            "UserKnownHostsFile": str(self.image.known_hosts),
        }
        given = [f"-o{name}={value}" for name, value in options.items()]
        return ("ssh", "-F", "none", "-T", *given, f"-p{self.port}", "root@127.0.0.1", shlex.join(command))

    def answers(self) -> bool:
        """Whether a login works now."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            asked = subprocess.run(
                self.argv(("true",)), stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60
            )
            return asked.returncode == 0
        return False

    def run(self, command: Sequence[str], *, timeout_s: float) -> str:
        """Both streams of a command. Raises VmError when it fails or takes too long."""
        try:
            done = subprocess.run(
                self.argv(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=timeout_s,
                text=True,
            )
        except subprocess.TimeoutExpired as late:
            raise VmError(f"in the machine: {shlex.join(command)} did not end within {timeout_s:.0f} s") from late
        if done.returncode != 0:
            raise VmError(
                f"in the machine: {shlex.join(command)} failed with {done.returncode}:\n{done.stdout[-3000:]}"
            )
        return done.stdout

    @contextlib.contextmanager
    def streaming(self, command: Sequence[str], *, log: Path) -> Iterator[subprocess.Popen[str]]:
        """A command whose stdout is read line by line; its stderr goes to `log`. Killed at the end of the block."""
        with log.open("ab") as errors:
            process = subprocess.Popen(
                self.argv(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def write(self, path: str, text: str) -> None:
        """Write a file. Raises VmError."""
        self._feed(("sh", "-c", 'cat > "$1"', "sh", path), text.encode())

    def end_tests(self) -> None:
        """End pytest, which takes down what its tests started, and wait for that. Raises VmError."""
        self.run(("sh", "-c", END_TESTS), timeout_s=COPY_TIMEOUT_S)

    def unpack_tree(self, packed: bytes) -> None:
        """Put the files of a tar archive in the place of the tree that is there. Raises VmError."""
        self._feed(("sh", "-c", f"{CLEAR_TREE}; tar -C {TREE} --extract"), packed)

    def _feed(self, command: Sequence[str], data: bytes) -> None:
        try:
            done = subprocess.run(
                self.argv(command), input=data, capture_output=True, check=False, timeout=COPY_TIMEOUT_S
            )
        except subprocess.TimeoutExpired as late:
            raise VmError(f"in the machine: {command[0]} took no input within {COPY_TIMEOUT_S:.0f} s") from late
        if done.returncode != 0:
            raise VmError(f"in the machine: {shlex.join(command)}: {done.stderr.decode(errors='replace')}")

    def close(self) -> None:
        """End the connection that carries the commands."""
        argv = self.argv(("true",))
        leave = (*argv[:-2], "-O", "exit", argv[-2])
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(leave, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=ENDED_S)
