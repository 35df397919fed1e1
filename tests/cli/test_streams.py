"""exec, attach and port-forward as people use them: on a terminal, in pipes, on any server."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, running_pod, serving
from tests.cli.conftest import Cli
from tests.cli.terminals import WAIT_S, Terminal, terminal
from tests.harness.processes import ended

SHELL = ("sh", "-c", "while :; do read line && echo got $line; done")
SERVERS = serving({7: "cat", 13: "echo thirteen"})


pytestmark = pytest.mark.root


@pytest_asyncio.fixture
async def pod(cri_server: CriPeer, image: str) -> AsyncIterator[CasePod]:
    async with running_pod(cri_server, image) as running:
        yield running


# -- exec


async def test_exec_passes_on_stdin(cli: Cli, pod: CasePod) -> None:
    container = await pod.run()
    done = await cli("exec", "-i", container, "--", "sh", "-c", "cat; echo err >&2; exit 3", stdin=b"one\ntwo\n")
    assert (done.code, done.out, done.err) == (3, "one\ntwo\n", "err\n")


async def test_exec_streams_more_than_fits_in_one_answer(cli: Cli, pod: CasePod) -> None:
    container = await pod.run()
    done = await cli("exec", container, "--", "sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x")
    assert (done.code, len(done.out)) == (0, 20_000_000)


async def test_exec_of_a_program_that_is_not_there(cli: Cli, pod: CasePod) -> None:
    container = await pod.run()
    done = await cli("exec", container, "/no/such/program")
    assert done.code in (125, 126, 127)
    assert done.code != 125 or "/no/such/program" in done.err


async def test_exec_with_a_timeout(cli: Cli, pod: CasePod) -> None:
    container = await pod.run()
    done = await cli("exec", "--timeout", "30", container, "--", "sh", "-c", "echo out; exit 7")
    assert (done.code, done.out) == (7, "out\n")
    assert (await cli("exec", "--timeout", "1", container, "sleep", "1000")).code != 0


async def test_exec_into_a_closed_pipe_ends(cri_server: CriPeer, pod: CasePod) -> None:
    container = await pod.run()
    command = f"{sys.executable} -m podwright -e {cri_server.endpoint} exec {container} yes | head -n 1"
    process = await asyncio.create_subprocess_exec("bash", "-c", command, stdout=-1, stderr=-1)
    async with ended(process, within_s=WAIT_S):
        out, err = await process.communicate()
    assert (out, err) == (b"y\n", b"")


async def test_a_shell_on_a_terminal(cri_server: CriPeer, pod: CasePod) -> None:
    container = await pod.run()
    async with terminal("exec", "-it", container, "sh", endpoint=cri_server.endpoint) as person:
        person.type(b"stty size\n")
        await person.shows(b"24 80")
        person.resize(33, 99)
        async with asyncio.timeout(WAIT_S):
            while b"33 99" not in person.screen:  # a new size takes its time
                person.type(b"stty size\n")
                await asyncio.sleep(0.2)
        person.type(b"echo slee''ping; sleep 1000\n")
        await person.shows(b"sleeping")
        async with asyncio.timeout(WAIT_S):
            while b"still 42" not in person.screen:  # the shell may have said so before the nap began
                person.type(b"\x03")
                person.type(b"echo still $((40 + 2))\n")
                await asyncio.sleep(0.2)
        person.type(b"exit 9\n")
        assert await person.exit_code() == 9
        assert person.is_as_before()


async def test_detach_keys_leave_the_command_running(cri_server: CriPeer, pod: CasePod) -> None:
    container = await pod.run()
    script = "echo started; while :; do echo x >>/tmp/alive; sleep 0.1; done"
    async with terminal("exec", "-it", container, "sh", "-c", script, endpoint=cri_server.endpoint) as person:
        await person.shows(b"started")
        person.type(b"\x10\x11")
        await person.shows(b"detached from")
        assert await person.exit_code() == 0
        assert person.is_as_before()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
async def test_no_signal_leaves_the_terminal_raw(cri_server: CriPeer, pod: CasePod, number: signal.Signals) -> None:
    container = await pod.run()
    command = ("exec", "-it", container, "sh", "-c", "echo started; sleep 1000")
    async with terminal(*command, endpoint=cri_server.endpoint) as person:
        await person.shows(b"started")
        assert not person.is_as_before()
        person.process.send_signal(number)
        assert await person.exit_code() == 128 + number
        assert person.is_as_before()


async def test_a_terminal_is_wanted_where_there_is_none(cli: Cli, pod: CasePod) -> None:
    container = await pod.run()
    done = await cli("exec", "-it", container, "sh")
    assert done.code == 2
    assert "-t needs a terminal" in done.err


# -- attach


async def test_attach_with_stdin_once(cli: Cli, pod: CasePod) -> None:
    container = await pod.run(("sh",), stdin=True, stdin_once=True)
    done = await cli("attach", "-i", container, stdin=b"echo out; echo err >&2\n")
    assert (done.code, done.out, done.err) == (0, "out\n", "err\n")


async def test_attach_exits_as_the_container_does(cli: Cli, pod: CasePod) -> None:
    container = await pod.run(("sh",), stdin=True, stdin_once=True)
    done = await cli("attach", "-i", container, stdin=b"echo out; exit 42\n")
    assert (done.code, done.out) == (42, "out\n")


async def test_attach_to_a_container_that_runs_on_ends_well(cli: Cli, pod: CasePod) -> None:
    """With the end of our own stdin."""
    container = await pod.run(("sh", "-c", "cat; exit 3"), stdin=True)
    assert (await cli("attach", "-i", container, stdin=b"a line\n")).code == 0
    assert (await pod.exec(container, "echo", "alive")).stdout == b"alive\n"


async def test_attach_to_a_terminal_and_its_exit_code(cri_server: CriPeer, pod: CasePod) -> None:
    container = await pod.run(("sh",), stdin=True, tty=True)
    async with terminal("attach", "-it", container, endpoint=cri_server.endpoint) as person:
        await till_it_says(person, b"echo o''k\n", b"ok")
        person.resize(33, 99)
        await till_it_says(person, b"stty size\n", b"33 99")
        person.type(b"\x03")  # the shell's, not ours
        await till_it_says(person, b"echo ali''ve\n", b"alive")
        person.type(b"exit 7\n")
        assert await person.exit_code() == 7
        assert person.is_as_before()


async def till_it_says(person: Terminal, keys: bytes, answer: bytes) -> None:
    """Type until the answer is on the screen: nothing says that an attach has begun, and a size takes its time."""
    async with asyncio.timeout(WAIT_S):
        while answer not in person.screen:
            person.type(keys)
            await asyncio.sleep(0.2)


async def test_attach_to_a_terminal_and_detach(cri_server: CriPeer, pod: CasePod) -> None:
    container = await pod.run(SHELL, stdin=True, tty=True)
    for word in (b"first", b"second"):
        command = ("attach", "-it", "--detach-keys", "ctrl-a,d", container)
        async with terminal(*command, endpoint=cri_server.endpoint) as person:
            async with asyncio.timeout(WAIT_S):
                while b"got " + word not in person.screen:  # an attach says nothing when it has begun
                    person.type(word + b"\n")
                    await asyncio.sleep(0.2)
            person.type(b"\x01")
            person.type(b"d")
            await person.shows(b"detached from")
            assert await person.exit_code() == 0
            assert person.is_as_before()


async def test_attach_without_a_terminal_is_left_by_ctrl_c(cri_server: CriPeer, pod: CasePod) -> None:
    container = await pod.run(("sh", "-c", "while :; do echo tick; sleep 0.1; done"))
    async with terminal("attach", container, endpoint=cri_server.endpoint) as person:
        await person.shows(b"tick")
        person.type(b"\x03")
        assert await person.exit_code() == 130
    assert (await pod.exec(container, "echo", "alive")).stdout == b"alive\n"


# -- port-forward


async def test_port_forward(cri_server: CriPeer, pod: CasePod) -> None:
    await pod.run_ready(SERVERS)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "podwright", "-e", cri_server.endpoint, "port-forward", pod.id, ":7", ":13", ":4"),
        stdout=-1,
        stderr=-1,
        env={"PYTHONUNBUFFERED": "1"},
    )
    async with ended(process, within_s=WAIT_S):
        assert process.stdout
        assert process.stderr
        lines = [(await process.stdout.readline()).decode() for _ in range(3)]
        echo, thirteen, refused = [int(line.split(" to ")[0].rpartition(":")[2]) for line in lines]
        assert await ask(thirteen) == b"thirteen\n"
        assert await ask(refused) == b""
        assert b"podwright: port 4: " in await process.stderr.readline()
        assert await asyncio.gather(*(ask(echo, b"%d" % number) for number in range(8))) == [
            b"%d" % number for number in range(8)
        ]
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130


async def ask(port: int, words: bytes = b"") -> bytes:
    """What comes back; as much as was said, or all."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        if not words:
            return await reader.read()
        writer.write(words)
        return await reader.readexactly(len(words))
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_taken_port_is_refused(cli: Cli, pod: CasePod) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = await cli("port-forward", pod.id, f"{port}:80")
    assert done.code == 1
    assert f"127.0.0.1:{port} is in use" in done.err


async def test_port_forward_to_no_pod(cli: Cli) -> None:
    done = await cli("port-forward", "zzz-not-there", ":80")
    assert done.code == 1
    assert "zzz-not-there" in done.err
