"""conmon's command line and answers: tables and properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.runtime.handlers.oci import conmon
from podwright.runtime.handlers.oci.conmon import CreateReply, Monitored
from podwright.runtime.handlers.oci.probing import Features, parse_features
from podwright.runtime.handlers.oci.runtime import plain


def _argv(options: frozenset[str] = frozenset(), **fields: object) -> tuple[str, ...]:
    container = Monitored(id="i" * 64, name="n", directory="/b", exits="/e", **fields)  # type: ignore[arg-type] # mixed keywords
    return conmon.command_line("/conmon", ("/crun", "--root=/r"), container, options=options)


def test_plain_container() -> None:
    argv = _argv(log_path="/logs/1.log")
    assert argv[0] == "/conmon"
    assert "--runtime-arg=--root=/r" in argv
    assert argv[argv.index("--log-path") + 1] == "k8s-file:/logs/1.log"
    assert not {"--terminal", "--stdin", "--systemd-cgroup", "--no-sync-log", "--leave-stdin-open"} & set(argv)


@pytest.mark.parametrize(
    ("argv", "option"),
    [
        (_argv(terminal=True), "--terminal"),
        (_argv(stdin=True), "--leave-stdin-open"),
        (_argv(frozenset({"--no-sync-log"})), "--no-sync-log"),
    ],
)
def test_options(argv: tuple[str, ...], option: str) -> None:
    assert option in argv


def test_output_that_nobody_wants_has_no_file() -> None:
    """The host's /dev/null would be one: conmon puts a new file in its place when it is to begin a new log."""
    argv = _argv()
    assert argv[argv.index("--log-path") + 1] == "none"


def test_the_launcher_comes_before_the_runtime() -> None:
    container = Monitored(id="i" * 64, name="n", directory="/b", exits="/e")
    argv = conmon.command_line("/conmon", ("/l", "/crun", "-x"), container, options=frozenset())
    assert argv[argv.index("--runtime") + 1] == "/l"
    assert [word for word in argv if word.startswith("--runtime-arg")] == ["--runtime-arg=/crun", "--runtime-arg=-x"]


def test_systemd_cgroup_reaches_the_runtime_and_not_the_launcher() -> None:
    """conmon's own option would make it the launcher's first argument, which is the program to execute."""
    container = Monitored(id="i" * 64, name="n", directory="/b", exits="/e")
    argv = conmon.command_line("/conmon", ("/l", "/crun", "--systemd-cgroup"), container, options=frozenset())
    assert "--systemd-cgroup" not in argv
    assert [word for word in argv if word.startswith("--runtime-arg")][-1] == "--runtime-arg=--systemd-cgroup"


def test_stdin_once_closes_with_the_first_client() -> None:
    assert "--leave-stdin-open" not in _argv(stdin=True, stdin_once=True)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b'{"data": 42}', CreateReply(pid=42)),
        (b'{"pid": 42}', CreateReply(pid=42)),
        (b'{"data": -1, "message": "no"}', CreateReply(pid=-1, message="no")),
        (b"", CreateReply(pid=-1)),
        (b"nonsense", CreateReply(pid=-1, message="nonsense")),
    ],
)
def test_replies(line: bytes, reply: CreateReply) -> None:
    assert conmon.parse_reply(line) == reply


@given(st.binary())
def test_any_reply_is_an_answer(line: bytes) -> None:
    conmon.parse_reply(line)


@pytest.mark.parametrize(
    ("stderr", "told"),
    [
        (b"", ""),
        (b"\n", ""),
        (b"[conmon:e]: no log\n[conmon:e]: no\tpath\n", " (conmon: [conmon:e]: no log [conmon:e]: no path)"),
        (b"\xff", " (conmon: \ufffd)"),
    ],
)
def test_complaints(stderr: bytes, told: str) -> None:
    assert conmon.complaint(stderr) == told


@pytest.mark.parametrize(("text", "code"), [("0", 0), ("137\n", 137), ("", 255), ("x", 255)])
def test_exit_files(text: str, code: int) -> None:
    assert conmon.parse_exit_file(text) == code


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("2024-01-01T00:00:00Z: executable file `x` not found\n", "executable file `x` not found"),
        ('time="2024-01-01T00:00:00Z" level=error msg="create failed: \\"x\\""', 'create failed: "x"'),
        ("error: two\nlines", "two lines"),
        ("", "it gave no reason"),
    ],
)
def test_runtimes_words(words: str, line: str) -> None:
    assert plain(words) == line


@pytest.mark.parametrize(
    ("document", "features"),
    [
        ({}, Features()),
        ({"linux": {"namespaces": ["pid"]}}, Features()),
        ({"linux": {"namespaces": ["pid", "user"]}}, Features(user_namespaces=True)),
    ],
)
def test_features(document: dict[str, object], features: Features) -> None:
    assert parse_features(document) == features
