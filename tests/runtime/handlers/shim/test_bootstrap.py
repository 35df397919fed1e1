"""How shims are started, and what they answer, as tables."""

from __future__ import annotations

import contextlib
import json

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import RuntimeFailed
from podwright.runtime.handlers.shim import bootstrap
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.bootstrap import Address, Dialect, Launch

LAUNCH = Launch(
    binary="/bin/shim",
    grpc_address="/run/p.sock",
    ttrpc_address="/run/p.ttrpc",
    publisher="/lib/publish",
    options=AnyMessage(type_url="containerd.runc.v1.Options", value=b"x"),
)
RESULT = pb.BootstrapResult(version=3, address="unix:///run/containerd/s/1", protocol="ttrpc").SerializeToString()
DOCUMENT = {"version": 3, "address": "unix:///run/containerd/s/1", "protocol": "ttrpc"}


def test_command_lines() -> None:
    common = "-namespace k8s.io -address /run/p.sock -publish-binary /lib/publish -id one"
    assert " ".join(bootstrap.argv(LAUNCH, "one", "start")) == f"/bin/shim {common} start"
    assert " ".join(bootstrap.argv(LAUNCH, "one", "delete", "/b")) == f"/bin/shim {common} -bundle /b delete"


def test_the_environment_says_where_events_go() -> None:
    env = bootstrap.environment(LAUNCH)
    assert (env["TTRPC_ADDRESS"], env["GRPC_ADDRESS"], env["NAMESPACE"]) == ("/run/p.ttrpc", "/run/p.sock", "k8s.io")
    assert "SCHED_CORE" not in env


def test_older_shims_read_the_options_and_newer_ones_the_parameters() -> None:
    assert AnyMessage.FromString(bootstrap.start_input(LAUNCH, "one", Dialect.OPTIONS)) == LAUNCH.options
    params = pb.BootstrapParams.FromString(bootstrap.start_input(LAUNCH, "one", Dialect.PARAMS))
    assert (params.instance_id, params.namespace, params.containerd_ttrpc_address) == ("one", "k8s.io", "/run/p.ttrpc")
    assert [each.value for each in params.extensions] == [LAUNCH.options]


@pytest.mark.parametrize(
    ("answer", "address"),
    [
        pytest.param(RESULT, Address(path="/run/containerd/s/1", version=3), id="2.3"),
        pytest.param(json.dumps(DOCUMENT).encode(), Address(path="/run/containerd/s/1", version=3), id="1.7"),
        pytest.param(b"unix:///run/containerd/s/2\n", Address(path="/run/containerd/s/2", version=2), id="1.6"),
        pytest.param(b"/containerd-shim/x.sock", Address(path="\0/containerd-shim/x.sock", version=2), id="1.3"),
    ],
)
def test_answers(answer: bytes, address: Address) -> None:
    assert bootstrap.parse_answer(answer) == address


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "not a unix socket"),
        (b"\xff\xfe", "cannot be read"),
        (b"\x08\xff", "cannot be read"),
        (b"{}", "cannot be read"),
        (b'{"version": "x"', "cannot be read"),
        (json.dumps({**DOCUMENT, "protocol": "grpc"}).encode(), "speaks 'grpc'"),
        (json.dumps({**DOCUMENT, "version": 9}).encode(), "version 9"),
        (json.dumps({**DOCUMENT, "address": "vsock://3:1024"}).encode(), "vsock://3:1024"),
        (b"warning: something\nunix:///run/s", "not a unix socket"),
    ],
)
def test_answers_that_cannot_be_used(answer: bytes, words: str) -> None:
    with pytest.raises(RuntimeFailed, match=words):
        bootstrap.parse_answer(answer)


@given(st.binary(max_size=200))
def test_any_answer_is_read_or_refused(answer: bytes) -> None:
    with contextlib.suppress(RuntimeFailed):
        bootstrap.parse_answer(answer)
