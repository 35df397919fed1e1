"""Events of shims, by ttrpc and by the program for older ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from podwright.conformance.patience import patient
from podwright.errors import InvalidArgument
from podwright.process import SAFE_PATH, Command, PosixProcessRunner
from podwright.runtime.handlers.shim import publish
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.events import EXIT, METHOD, OOM, SERVICE, Events
from podwright.ttrpc import connect

PATIENCE_S = patient(60.0)


class Listener:
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def note_oom(self) -> None:
        self.heard.append("oom")

    def note_exit(self, end: pb.TaskExit) -> None:
        self.heard.append(end.exit_status)


@pytest_asyncio.fixture
async def events(tmp_path: Path) -> AsyncIterator[Events]:
    made = Events()
    await made.listen(f"{tmp_path}/s")
    yield made
    await made.close()


async def _send(path: str, topic: str, event: bytes) -> None:
    client = await connect(path, timeout_s=PATIENCE_S)
    request = pb.ForwardRequest(envelope=pb.Envelope(topic=topic, event=AnyMessage(value=event)))
    try:
        await client.call(SERVICE, METHOD, request.SerializeToString(), timeout_s=PATIENCE_S)
    finally:
        client.close()


@pytest.mark.parametrize(
    ("topic", "event", "heard"),
    [
        (OOM, pb.TaskEvent(container_id="one"), ["oom"]),
        (EXIT, pb.TaskExit(container_id="one", id="one", exit_status=7), [7]),
        (EXIT, pb.TaskExit(container_id="one", exit_status=7), [7]),
        (EXIT, pb.TaskExit(container_id="one", id="an-exec", exit_status=7), []),
        (EXIT, pb.TaskExit(container_id="other", id="other"), []),
        ("/tasks/start", pb.TaskEvent(container_id="one"), []),
    ],
)
async def test_who_hears_of_what(
    events: Events, tmp_path: Path, topic: str, event: Message, heard: list[object]
) -> None:
    listener = events.listeners["one"] = Listener()
    await _send(f"{tmp_path}/s", topic, event.SerializeToString())
    assert listener.heard == heard


async def test_garbage_is_refused(events: Events, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument):
        await _send(f"{tmp_path}/s", OOM, b"\xff\xff")


async def test_the_program_for_older_shims(events: Events, tmp_path: Path) -> None:
    listener = events.listeners["one"] = Listener()
    program = f"{tmp_path}/publish"
    publish.install(program)
    event = AnyMessage(
        type_url="containerd.events.TaskOOM", value=pb.TaskEvent(container_id="one").SerializeToString()
    )
    argv = (program, "--address", "/run/p.sock", "publish", "--topic", OOM, "--namespace", "k8s.io")
    env = {"PATH": SAFE_PATH, "TTRPC_ADDRESS": f"{tmp_path}/s"}
    done = await PosixProcessRunner().run(
        Command(argv=argv, timeout_s=PATIENCE_S, stdin=event.SerializeToString(), env=env)
    )
    assert done.returncode == 0, done.error_text()
    assert listener.heard == ["oom"]
