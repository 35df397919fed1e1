"""The command line answers at once and says what is wrong in one line."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from podwright import __version__
from podwright.cli import connection
from podwright.cli.app import COMMANDS
from podwright.conformance.patience import patient
from podwright.errors import Unavailable
from tests.cli.conftest import Cli, run_cli
from tests.harness.processes import ended

# What --help must not wait for: it answers in well under 200 ms then.
HEAVY = ("grpc", "aiohttp", "rich", "google.protobuf", "pyroute2", "asyncio")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_top_level_answers_import_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom podwright.cli.app import run\n"
        f"code = run({arguments!r})\n"
        f"print('loaded:', *(name for name in {HEAVY!r} if name in sys.modules))\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=patient(60)
    )
    assert done.stdout.splitlines()[-1] == "loaded:"


# For manifests by HTTP and pulls, new keys, exec and its like, the Pods API, YAML files and other packages.
NEEDED_BY_FEW = {
    "podwright.agent.app": ("aiohttp", "cryptography", "websockets", "podwright.k8s.protobuf.pod_pb2"),
    "podwright.runtime.engines.native.engine": (
        *("aiohttp", "cryptography", "websockets"),
        *("yaml", "importlib.metadata"),
    ),
}


@pytest.mark.parametrize("daemon", NEEDED_BY_FEW)
def test_a_daemon_does_not_load_what_few_need(daemon: str) -> None:
    script = f"import sys\nimport {daemon}\nprint(*(each for each in {NEEDED_BY_FEW[daemon]} if each in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=patient(60)
    )
    assert done.stdout == "\n"


def test_an_agent_binds_its_ports_before_anything_heavy_is_loaded() -> None:
    script = (
        f"import sys\nimport podwright.cli.commands.agent\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=patient(60)
    )
    assert done.stdout == "\n"


@pytest.mark.parametrize("name", list(COMMANDS))
async def test_every_command_has_help_and_the_table_says_the_same(podwright: Cli, name: str) -> None:
    done = await podwright(name, "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: podwright {name} ")
    assert COMMANDS[name].help[:-1].split()[0] in done.out


def test_ctrl_c_while_modules_are_loaded_leaves_no_traceback() -> None:
    script = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'podwright.cli.app':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from podwright.__main__ import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=patient(60)
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


async def test_version_option(podwright: Cli) -> None:
    assert (await podwright("--version")).out == f"podwright {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["podz"], "did you mean pods?", id="unknown command"),
        pytest.param(["ps", "--bad"], "there is no option --bad", id="unknown option"),
        pytest.param(
            ["ps", "--endpoint", "unix:///x"],
            "--endpoint stands before the command (podwright --endpoint ... ps)",
            id="an option of podwright below a command",
        ),
        pytest.param(["ps", "-o", "xml"], "xml", id="unknown form"),
        pytest.param(["exec", "some"], "COMMAND", id="no command to run"),
        pytest.param(["exec", "-it", "some", "--", "sh"], "-t needs a terminal", id="no terminal"),
        pytest.param(["attach", "-t", "some"], "-t needs a terminal", id="no terminal to attach"),
        pytest.param(["exec", "-i", "--timeout", "5", "some", "sh"], "excludes -i and -t", id="timed and interactive"),
        pytest.param(["attach", "--detach-keys", "ctrl-1", "some"], "'ctrl-1' is not a key", id="no key"),
        pytest.param(["port-forward", "some", "80:99999"], "'99999', which is not a port", id="no port"),
        pytest.param(["rm"], "--all", id="nothing to remove"),
        pytest.param(["update", "x"], "at least one limit", id="no limit"),
        pytest.param(["update", "--oom-score-adj", "1001", "x"], "1001", id="no OOM score"),
        pytest.param(["create", "x", "-", "-"], "standard input", id="one standard input for two"),
        pytest.param(["runp", "/dev/null"], "PodSandboxConfig", id="no config"),
        pytest.param(["checkpoint", "x"], "--export", id="no archive"),
        pytest.param(["stopq"], "did you mean stop", id="unknown alias"),
        pytest.param(["logs", "--tail", "-2", "x"], "-2", id="no number of lines"),
        pytest.param(["logs", "--since", "soon", "x"], "not a point in time", id="no time"),
        pytest.param(["rm", "--all", "x"], "--all", id="both to remove"),
        pytest.param(["stop", "-t", "-1", "x"], "-1", id="negative timeout"),
        pytest.param(["--endpoint", "tcp://1.2.3.4:5", "ps"], "not a unix socket", id="not a unix socket"),
        pytest.param(["config", "--config", "/nonexistent"], "does not exist", id="no config file"),
        pytest.param(["bench", "-e", "unix:///x", "-n", "x"], "valid integer", id="not a number"),
        pytest.param(["pods", "-l", "novalue"], "KEY=VALUE", id="not a label"),
        pytest.param(["config", "--config", "/"], "cannot read config /: Is a directory", id="a folder as config"),
        pytest.param(["run", "/nonexistent.yaml"], "cannot read /nonexistent.yaml", id="no manifest"),
        pytest.param(["generate", "/nonexistent.yaml"], "cannot read /nonexistent.yaml", id="nothing to generate"),
        pytest.param(["load", "/nonexistent"], "the archive /nonexistent: No such file", id="no archive file"),
        pytest.param(["runp", "/nonexistent"], "the config /nonexistent: No such file", id="no pod config"),
        pytest.param(["create", "x", "/", "/"], "the config /: Is a directory", id="a folder to create from"),
        pytest.param(["images", "verify", "--all"], "there is no option --all", id="unknown option below a command"),
        pytest.param(["push", "x", "--creds", "y"], "did you mean --creds-stdin?", id="nearly an option"),
        pytest.param(["pull"], "missing argument 'REFERENCE' (see podwright pull --help)", id="no argument"),
    ],
)
async def test_bad_usage_is_one_line_and_exit_code_2(podwright: Cli, arguments: list[str], words: str) -> None:
    done = await podwright(*arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert len(done.err.splitlines()) == 1
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments", [["ps"], ["pods"], ["images"], ["version"], ["pull", "a"], ["logs", "a"], ["stop", "a"], ["bench"]]
)
async def test_no_daemon_is_one_line_with_a_hint(podwright: Cli, tmp_path: Path, arguments: list[str]) -> None:
    socket = tmp_path / "s.sock"
    done = await podwright("--endpoint", str(socket), *arguments)
    assert done.code == 1
    assert re.fullmatch(
        rf"podwright: no process listens on {re.escape(str(socket))} \(start podwright serve.*\)\n", done.err
    )


async def test_exec_without_a_daemon_is_told_from_a_failing_command(podwright: Cli, tmp_path: Path) -> None:
    assert (await podwright("-e", str(tmp_path / "s"), "exec", "a", "--", "true")).code == 125


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("podwright runt", "runtime-config"), ("podwright logs --ta", "--tail"), ("podwright nosuch --ta", "")],
)
async def test_what_a_shell_completes(typed: str, offered: str) -> None:
    env = {"_PODWRIGHT_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    done = await run_cli(env=env)
    assert (done.code, done.err) == (0, "")
    assert done.out.strip() == (f"plain,{offered}" if offered else "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_the_completion_script_asks_this_program(podwright: Cli, shell: str) -> None:
    done = await podwright("completion", shell)
    assert f"_PODWRIGHT_COMPLETE={shell}_complete" in done.out


def test_completing_a_command_imports_nothing_heavy() -> None:
    script = (
        "import os, sys\nfrom podwright.cli.app import run\n"
        "os.environ.update(_PODWRIGHT_COMPLETE='bash_complete', COMP_WORDS='podwright p', COMP_CWORD='1')\n"
        f"code = run([])\nprint('loaded:', *(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=patient(60)
    )
    assert "plain,pods" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded:"


async def test_debug_shows_the_traceback(podwright: Cli, tmp_path: Path) -> None:
    done = await podwright("--debug", "--endpoint", str(tmp_path / "s"), "ps")
    assert done.code == 1
    assert "Traceback" in done.err


async def test_the_effective_configuration(podwright: Cli, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('root = "/elsewhere"\n[network]\nbridge = "pw9"\n')
    as_json = (await podwright("config", "--config", str(file), "-o", "json")).json()
    assert (as_json["root"], as_json["network"]["bridge"]) == ("/elsewhere", "pw9")
    assert 'bridge = "pw9"' in (await podwright("config", "--config", str(file))).out


def test_a_closed_pipe_is_no_failure_to_talk_about() -> None:
    script = f"{sys.executable} -m podwright config | true"
    done = subprocess.run(["bash", "-c", script], check=False, capture_output=True, text=True, timeout=patient(60))
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("redirection", "code", "words"), [(">/dev/full", 1, "No space left on device"), (">&-", 0, "")]
)
def test_an_output_that_takes_nothing(redirection: str, code: int, words: str) -> None:
    command = ["sh", "-c", f'exec "$0" -m podwright --version {redirection}', sys.executable]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=patient(60))
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == bool(words)


async def test_a_server_that_does_not_speak_is_told_of_while_it_is_waited_for(tmp_path: Path) -> None:
    """The kernel accepts connections for a process that hangs."""
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "s.sock"))
        hung.listen()
        begun = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "podwright", "-e", str(tmp_path / "s.sock"), "ps"), stderr=subprocess.PIPE
        )
        async with ended(begun, within_s=patient(60)):
            assert begun.stderr is not None
            line = await asyncio.wait_for(begun.stderr.readline(), patient(60))
    assert line.decode() == f"podwright: {tmp_path}/s.sock does not answer yet, waiting (Ctrl-C ends it)\n"


def test_the_runtime_of_the_agent_is_named_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded, none = f"unix://{tmp_path}/embedded.sock", f"unix://{tmp_path}/none.sock"
    monkeypatch.setattr(connection, "DEFAULT_ENDPOINT", none)
    monkeypatch.setattr(connection, "EMBEDDED_ENDPOINT", embedded)
    with pytest.raises(Unavailable, match="start podwright serve"):
        connection.check_listening(none)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "embedded.sock"))
        listening.listen()
        with pytest.raises(Unavailable, match=f"--endpoint {re.escape(embedded)}"):
            connection.check_listening(none)
