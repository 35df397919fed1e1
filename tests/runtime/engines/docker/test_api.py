"""The Engine's API without an Engine: frames, versions, failures, documents."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import (
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PodwrightError,
    RuntimeFailed,
    Unavailable,
)
from podwright.runtime.engines.docker.api import versions
from podwright.runtime.engines.docker.api.failures import failure_of
from podwright.runtime.engines.docker.api.frames import StdioFrames
from podwright.runtime.engines.docker.facts import facts_of
from podwright.runtime.engines.docker.feed import event_of
from podwright.runtime.engines.docker.state import nanoseconds, state_of

FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8)


@given(frames=FRAMES, cuts=st.lists(st.integers(min_value=1, max_value=17), max_size=60))
def test_frames_come_out_whole_however_they_are_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = b"".join(struct.pack(">B3xI", stream, len(content)) + content for stream, content in frames)
    reader, position = StdioFrames(), 0
    got: dict[int, bytes] = {1: b"", 2: b""}
    for size in (*cuts, len(data) or 1):
        for stream, piece in reader.feed(data[position : position + size]):
            got[stream] += piece
        position += size
    for stream, content in got.items():
        assert content == b"".join(piece for each, piece in frames if each == stream)


def test_bytes_that_are_no_frames() -> None:
    with pytest.raises(Internal, match="kind 72"):
        StdioFrames().feed(b"HTTP/1.1 400 Bad Request")


@pytest.mark.parametrize(
    ("newest", "oldest", "spoken"),
    [("1.41", "1.12", (1, 41)), ("1.47", "1.24", (1, 41)), ("1.52", "1.44", (1, 44)), ("1.41", "", (1, 41))],
)
def test_the_version_that_is_spoken(newest: str, oldest: str, spoken: versions.Version) -> None:
    assert versions.spoken("x", newest, oldest) == spoken


def test_an_old_engine_is_refused_by_name() -> None:
    with pytest.raises(FailedPrecondition, match=r"Docker Engine 19\.03\.15 is too old: its API is 1\.40.*20\.10"):
        versions.spoken("19.03.15", "1.40", "1.12")
    with pytest.raises(FailedPrecondition, match="an invalid API version: 'new'"):
        versions.spoken("x", "new", "")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidArgument),
        (404, NotFound),
        (409, FailedPrecondition),
        (500, RuntimeFailed),
        (503, Unavailable),
        (418, RuntimeFailed),
    ],
)
def test_statuses(status: int, kind: type[PodwrightError]) -> None:
    failure = failure_of(status, b'{"message":"no such thing"}', "inspect x")
    assert type(failure) is kind
    assert failure.message == "Docker Engine: inspect x: no such thing"


@pytest.mark.parametrize("body", [b"plain text\n", b'["plain text"]', b'{"message":1}'])
def test_an_error_without_a_message_is_shown_as_it_is(body: bytes) -> None:
    assert body.decode().strip() in failure_of(500, body, "x").message


def test_a_state() -> None:
    state = state_of(
        {
            "Id": "abc",
            "LogPath": "/l",
            "GraphDriver": {"Data": {"UpperDir": "/u"}},
            "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": True, "FinishedAt": "2026-01-01T00:00:01.5Z"},
        }
    )
    assert (state.engine_id, state.log_path, state.upper, state.exit_code) == ("abc", "/l", "/u", 137)
    assert state.oom_killed
    assert not state.runs
    assert state.finished_at == 1767225601_500_000_000
    assert state_of({"State": {"Status": "paused"}}).runs
    assert state_of({"State": {"Status": "created"}}).is_created
    assert not state_of({"State": {"Status": "created", "Error": "no such program"}}).is_created


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0001-01-01T00:00:00Z", 0),
        ("", 0),
        ("yesterday", 0),
        ("2026-01-01T01:00:00+01:00", 1767225600 * 10**9),
        ("2026-01-01T00:00:00.000000001Z", 1767225600 * 10**9 + 1),
    ],
)
def test_times(text: str, wanted: int) -> None:
    assert nanoseconds(text) == wanted


def test_facts() -> None:
    facts = facts_of(
        {"Version": "20.10.24"},
        {
            "DockerRootDir": "/d",
            "Driver": "overlay2",
            "CgroupDriver": "systemd",
            "CgroupVersion": "2",
            "Runtimes": {"runsc": {}, "runc": {}, "io.containerd.runtime.v1.linux": {}},
            "DefaultRuntime": "runc",
            "SecurityOptions": ["name=seccomp,profile=default", "name=apparmor"],
            "LiveRestoreEnabled": True,
        },
        (1, 41),
    )
    assert facts.systemd
    assert facts.cgroup_v2
    assert facts.live_restore
    assert facts.runtimes == ("runc", "runsc")
    assert facts.security == {"seccomp", "apparmor"}
    old = facts_of({}, {"CgroupVersion": "1", "Runtimes": {"runc": {}, "io.containerd.runtime.v1.linux": {}}}, (1, 41))
    assert old.runtimes == ("io.containerd.runtime.v1.linux", "runc")


def test_an_event() -> None:
    event = event_of(
        {"Type": "container", "Action": "exec_create: sh -c x", "Actor": {"Attributes": {"name": "n", "exitCode": 1}}}
    )
    assert (event.kind, event.action, event.name, event.attributes["exitCode"]) == (
        "container",
        "exec_create",
        "n",
        "1",
    )
    assert event_of({}).name == ""
