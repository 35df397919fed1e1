"""The commands of the recording: a Pod by `podwright run`, then the same Pod on a node."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import time
from collections.abc import Iterator

from tools.recording import stage
from tools.recording.terminal import RecordingFailed, Terminal

COMMAND_TIMEOUT_S = 120.0
LOOK_S = 2.0  # time to read what a command has shown
TRIES_PAUSE_S = 0.2
AGENT = "podwright agent --config=/etc/kubernetes/kubelet.yaml"
ANSWER = "says: Hello, this is Podwright"


def play(terminal: Terminal) -> None:
    """Type and run all of it. Raises RecordingFailed."""
    _run(terminal, "podwright run examples/hello.yaml", until=2)
    terminal.type("clear")
    terminal.run(["clear"], timeout_s=COMMAND_TIMEOUT_S)
    with _background(terminal, "podwright serve"), _background(terminal, AGENT):
        _run(terminal, "cp examples/hello.yaml /etc/kubernetes/manifests/")
        _wait("podwright logs fetch | sort | uniq -c", f"2 10.88.0.2 {ANSWER}")
        _run(terminal, "podwright pods")
        _run(terminal, "podwright ps")
        _run(terminal, "curl http://127.0.0.1:18080/")
        _run(terminal, "rm /etc/kubernetes/manifests/hello.yaml")
        _wait('test -z "$(podwright pods -q)" && echo gone', "gone")
        _run(terminal, "podwright pods")


def _run(terminal: Terminal, command: str, *, until: int = 0) -> None:
    """Type and run a command. With `until`, Ctrl-C is pressed after that many answers."""
    terminal.type(command)
    enough = (lambda text: text.count(ANSWER) >= until) if until else None
    terminal.run(shlex.split(command), until=enough, timeout_s=COMMAND_TIMEOUT_S)
    terminal.pause(LOOK_S)


@contextlib.contextmanager
def _background(terminal: Terminal, command: str) -> Iterator[None]:
    """Type a command with `&`. What it logs is not shown."""
    terminal.type(f"{command} &")
    with stage.in_background(shlex.split(command)):
        yield


def _wait(command: str, wanted: str) -> None:
    """Wait, unseen, until a shell command prints something."""
    deadline = time.monotonic() + COMMAND_TIMEOUT_S
    while wanted not in subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False).stdout:
        if time.monotonic() > deadline:
            raise RecordingFailed(f"{command} does not print {wanted}")
        time.sleep(TRIES_PAUSE_S)
