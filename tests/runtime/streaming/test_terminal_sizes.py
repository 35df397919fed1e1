"""Sizes of a client's terminal: the one to start with, and those that follow."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from podwright.conformance.patience import patient
from podwright.conformance.streams import WAIT_S, exec_url
from podwright.runtime.streaming.inbox import Inbox
from podwright.runtime.streaming.remote import Remote
from podwright.runtime.streaming.remote_command import TerminalSizes
from podwright.streams.client.dial import StreamTransport
from podwright.streams.client.opening import open_link
from podwright.streams.client.spdy_link import SpdyLink
from podwright.streams.remote_command.protocol import StreamType
from podwright.streams.remote_command.resize import TerminalSize, pack_size
from podwright.streams.wire import Buffer
from tests.faults.node import running_node
from tests.fixtures import FreshPodwright

SMALL, LARGE = TerminalSize(width=80, height=24), TerminalSize(width=200, height=50)


def sizes_of(inbox: Inbox) -> TerminalSizes:
    return TerminalSizes(cast("Remote", SimpleNamespace(sizes=inbox)))  # nothing else of a Remote matters


async def followed(sizes: TerminalSizes) -> list[TerminalSize]:
    seen: list[TerminalSize] = []
    async with asyncio.timeout(patient(60)):
        await sizes.follow(lambda width, height: seen.append(TerminalSize(width=width, height=height)))
    return seen


async def test_the_first_one_is_waited_for_and_the_others_follow() -> None:
    inbox = Inbox()
    sizes = sizes_of(inbox)
    waiting = asyncio.create_task(sizes.first())
    await asyncio.sleep(0)
    await inbox.put(pack_size(SMALL) + pack_size(LARGE) + b'{"Width"')
    assert await waiting == SMALL
    await inbox.put(b': 80, "Height": 24}')
    inbox.end()
    assert await followed(sizes) == [LARGE, SMALL]


async def test_a_client_that_says_none_is_not_waited_for_long() -> None:
    inbox = Inbox()
    sizes = sizes_of(inbox)
    assert await sizes.first() is None
    await inbox.put(pack_size(LARGE))
    inbox.end()
    assert await followed(sizes) == [LARGE]


async def test_a_session_without_sizes_and_one_with_garbage_have_none() -> None:
    for said in (b"", b"no size}", b"{" + bytes(5000)):
        inbox = Inbox()
        await inbox.put(said)
        inbox.end()
        sizes = sizes_of(inbox)
        assert await sizes.first() is None
        assert await followed(sizes) == []


@pytest.mark.root
async def test_a_program_starts_on_a_terminal_of_the_right_size(
    fresh_podwright: FreshPodwright, busybox_image: str
) -> None:
    """With runc. Older crun tell nobody of the terminal before the program runs: there it may come a moment late."""
    out = bytearray()

    async def keep(stream_type: StreamType, data: Buffer) -> None:
        if stream_type is StreamType.STDOUT:
            out.extend(data)

    async with running_node(fresh_podwright({"default_handler": "runc"}), busybox_image) as node:
        pod = await node.pod()
        url = await exec_url(pod, await pod.run(), "stty", "size", tty=True)
        early = (StreamType.RESIZE, StreamType.ERROR)
        link = await open_link(url, early, transport=StreamTransport.SPDY, protocols=["v4.channel.k8s.io"])
        assert isinstance(link, SpdyLink)
        async with asyncio.timeout(WAIT_S):
            await link.send(StreamType.RESIZE, pack_size(LARGE))
            await link.open([StreamType.STDOUT])  # the last one: the command is started
            await link.receive(keep)
        await link.close()
        assert out.split() == [b"50", b"200"]
        await node.emptied()
