"""Calls between a client's and a server's side without I/O, and what a broken peer sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import (
    FailedPrecondition,
    Internal,
    NotFound,
    PodwrightError,
    ResourceExhausted,
    Unknown,
)
from podwright.ttrpc.frames import DATA_LIMIT_BYTES, HEADER, REMOTE_CLOSED, REMOTE_OPEN, Frame, FrameDecoder, encode
from podwright.ttrpc.sessions import ClientSession, Data, Refused, ServerSession, TtrpcRequest, TtrpcResponse
from podwright.ttrpc.v1 import ttrpc_pb2 as pb

TEXT = st.text(max_size=20)


def call(stream: int, payload: bytes = b"", *, streaming: bool = False, sends_more: bool = False) -> TtrpcRequest:
    return TtrpcRequest(
        stream=stream, service="a.B", method="C", payload=payload, streaming=streaming, sends_more=sends_more
    )


@given(TEXT, TEXT, st.binary(max_size=99), st.integers(0, 2**63 - 1), st.dictionaries(TEXT, TEXT, max_size=3))
def test_a_request_arrives_as_it_was_sent(
    service: str, method: str, payload: bytes, timeout_ns: int, metadata: dict[str, str]
) -> None:
    client, server = ClientSession(), ServerSession()
    request = TtrpcRequest(
        stream=client.new_stream(),
        service=service,
        method=method,
        payload=payload,
        timeout_ns=timeout_ns,
        metadata=metadata,
    )
    assert server.receive(client.call(request)) == [request]


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=9), st.randoms())
def test_answers_in_any_order_find_their_calls(payloads: list[bytes], order: object) -> None:
    client, server = ClientSession(), ServerSession()
    wanted = {}
    for payload in payloads:
        stream = client.new_stream()
        wanted[stream] = payload
        server.receive(client.call(call(stream, payload)))
    streams = list(wanted)
    order.shuffle(streams)  # type: ignore[attr-defined]
    answers = [event for stream in streams for event in client.receive(server.respond(stream, wanted[stream]))]
    assert [(event.stream, event.payload) for event in answers] == [(one, wanted[one]) for one in streams]
    assert len(client) == len(server) == 0


@pytest.mark.parametrize("failure", [NotFound("gone"), FailedPrecondition("stopped"), Unknown("odd")])
def test_a_failure_arrives_as_it_was_raised(failure: PodwrightError) -> None:
    client, server = ClientSession(), ServerSession()
    server.receive(client.call(call(client.new_stream())))
    [answer] = client.receive(server.fail(1, failure))
    assert isinstance(answer, TtrpcResponse)
    assert (type(answer.failure), str(answer.failure)) == (type(failure), str(failure))


@pytest.mark.parametrize("stream", [0, 2, 1])
def test_a_stream_that_does_not_follow_is_refused(stream: int) -> None:
    server, client = ServerSession(), ClientSession()
    server.receive(client.call(call(1)))
    [refused] = server.receive(ClientSession().call(call(stream)))
    assert isinstance(refused, Refused)
    [reply] = FrameDecoder().feed(refused.reply)
    assert isinstance(reply, Frame)
    assert pb.Response.FromString(reply.data).status.code == 3
    assert server.respond(1, b"")  # the first call is not disturbed


def test_a_request_that_is_no_message_is_refused() -> None:
    [refused] = ServerSession().receive(encode(Frame(stream=1, kind=1, data=b"\xff\xff")))
    assert isinstance(refused, Refused)


def test_an_oversized_request_is_refused_and_the_next_one_served() -> None:
    server = ServerSession()
    [refused] = server.receive(HEADER.pack(DATA_LIMIT_BYTES + 1, 1, 1, 0) + bytes(DATA_LIMIT_BYTES + 1))
    assert isinstance(refused, Refused)
    assert [type(event) for event in server.receive(ClientSession().call(call(3)))] == [TtrpcRequest]


def test_an_oversized_answer_fails_its_call_alone() -> None:
    client, server = ClientSession(), ServerSession()
    for _ in range(2):
        server.receive(client.call(call(client.new_stream())))
    [answer] = client.receive(HEADER.pack(DATA_LIMIT_BYTES + 1, 1, 2, 0) + bytes(DATA_LIMIT_BYTES + 1))
    assert isinstance(answer, TtrpcResponse)
    assert isinstance(answer.failure, ResourceExhausted)
    assert client.receive(server.respond(3, b"fine")) == [TtrpcResponse(stream=3, payload=b"fine")]


def test_an_answer_that_is_no_message_fails_its_call() -> None:
    client = ClientSession()
    client.call(call(client.new_stream()))
    [answer] = client.receive(encode(Frame(stream=1, kind=2, data=b"\xff\xff")))
    assert isinstance(answer, TtrpcResponse)
    assert isinstance(answer.failure, Internal)


def test_an_answer_to_a_call_that_was_given_up_is_ignored() -> None:
    client, server = ClientSession(), ServerSession()
    server.receive(client.call(call(client.new_stream())))
    client.give_up(1)
    assert client.receive(server.respond(1, b"late")) == []


def test_a_stream_carries_data_both_ways_until_both_sides_close() -> None:
    client, server = ClientSession(), ServerSession()
    sent = client.call(call(client.new_stream(), streaming=True, sends_more=True))
    assert sent[9] == REMOTE_OPEN
    [request] = server.receive(sent)
    assert request == call(1, streaming=True, sends_more=True)
    assert server.receive(client.send_data(1, b"one")) == [Data(stream=1, payload=b"one", last=False)]
    assert client.receive(server.send_data(1, b"")) == [Data(stream=1, payload=b"", last=False)]  # an empty message
    assert server.receive(client.send_data(1, None, last=True)) == [Data(stream=1, payload=None, last=True)]
    with pytest.raises(FailedPrecondition):
        client.send_data(1, b"too late")
    assert client.receive(server.send_data(1, b"two", last=True)) == [Data(stream=1, payload=b"two", last=True)]
    assert len(client) == len(server) == 0


def test_a_client_that_only_listens_says_so() -> None:
    client, server = ClientSession(), ServerSession()
    sent = client.call(call(client.new_stream(), streaming=True))
    assert sent[9] == REMOTE_CLOSED
    server.receive(sent)
    client.receive(server.send_data(1, b"one"))
    assert client.receive(server.respond(1, b"end")) == [TtrpcResponse(stream=1, payload=b"end")]
    assert len(client) == len(server) == 0


def test_data_on_a_unary_call_is_ignored() -> None:
    client, server = ClientSession(), ServerSession()
    server.receive(client.call(call(client.new_stream())))
    assert server.receive(encode(Frame(stream=1, kind=3, data=b"x"))) == []
    assert client.receive(encode(Frame(stream=1, kind=3, data=b"x"))) == []


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5), st.integers(0, 7), st.binary(max_size=40)), max_size=12)
)
def test_a_broken_peer_raises_nothing(sent: list[tuple[int, int, int, bytes]]) -> None:
    client, server = ClientSession(), ServerSession()
    client.call(call(client.new_stream()))
    client.call(call(client.new_stream(), streaming=True, sends_more=True))
    for stream, kind, flags, data in sent:
        frame = encode(Frame(stream=stream, kind=kind, flags=flags, data=data))
        assert all(isinstance(event, TtrpcResponse | Data) for event in client.receive(frame))
        assert all(isinstance(event, TtrpcRequest | Data | Refused) for event in server.receive(frame))
