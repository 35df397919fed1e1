from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from podwright.runtime.registry import ranges
from tests.harness.scripted_registry import Answer, ScriptedRegistry, fixed
from tests.runtime.registry.asking import BLOB, BLOB_PATH, blob, hosts_toml

SEGMENT = 512 << 10
LATER = 3 * SEGMENT  # where a segment begins that is asked for ahead


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection counts as slow, and the test's blob as large."""
    monkeypatch.setattr(ranges, "SEGMENT_BYTES", SEGMENT)
    monkeypatch.setattr(ranges, "LEAST_BYTES", 2 * SEGMENT)
    monkeypatch.setattr(ranges, "FAST_BYTES_S", 1 << 60)


@given(start=st.integers(0, 50), size=st.integers(0, 200), limit=st.integers(1, 5), data=st.data())
def test_segments_come_in_order(start: int, size: int, limit: int, data: st.DataObject) -> None:
    connections, written, most = ranges.Connections(limit), bytearray(), 0
    whole = bytes(index % 251 for index in range(start + size))
    turns = data.draw(st.lists(st.integers(0, 5), min_size=1))
    waiting = 0

    async def fetch(first: int, end: int) -> bytearray:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        for _ in range(turns[first % len(turns)]):
            await asyncio.sleep(0)
        return bytearray(whole[first:end])

    async def write(piece: bytearray) -> None:
        nonlocal waiting
        await asyncio.sleep(0)
        waiting -= 1
        written.extend(piece)

    async def run() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ranges, "SEGMENT_BYTES", 7)
            await ranges.in_order(start, start + size, fetch, write, connections)

    asyncio.run(run())
    assert bytes(written) == whole[start:]
    assert most <= limit
    assert connections.to_spare


async def test_a_failed_segment_ends_the_others() -> None:
    connections, written, cancelled = ranges.Connections(3), [], []

    async def fetch(first: int, _end: int) -> bytearray:
        if first == SEGMENT:
            raise ValueError("broken")
        if first > SEGMENT:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(first)
        return bytearray(b"x")

    async def write(piece: bytearray) -> None:
        written.append(piece)

    with pytest.raises(ValueError, match="broken"):
        await ranges.in_order(0, 9 * SEGMENT, fetch, write, connections)
    assert written == [b"x"]
    assert 2 * SEGMENT in cancelled
    assert connections.to_spare


def asked(registry: ScriptedRegistry) -> list[str]:
    return [seen.headers.get("Range", "") for seen in registry.requests if seen.path == BLOB_PATH]


async def test_a_large_blob_over_three_connections(registry: ScriptedRegistry) -> None:
    together = asyncio.Barrier(3)

    async def answer(request: web.Request) -> web.StreamResponse:
        first = int(request.headers["Range"].removeprefix("bytes=").partition("-")[0])
        if SEGMENT <= first < 4 * SEGMENT:  # the second to the fourth: none is answered before all are there
            await together.wait()
        return await registry.honest(request)

    registry.answers[BLOB_PATH] = answer
    assert await blob(registry.host) == BLOB
    assert len(asked(registry)) == -(-len(BLOB) // SEGMENT)


async def test_a_fast_connection_is_enough(registry: ScriptedRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "FAST_BYTES_S", 0)
    assert await blob(registry.host) == BLOB
    assert asked(registry) == [f"bytes=0-{SEGMENT - 1}", f"bytes={SEGMENT}-"]


async def test_a_registry_without_ranges(registry: ScriptedRegistry) -> None:
    registry.ranges = False
    assert await blob(registry.host) == BLOB
    assert len(asked(registry)) == 1


@pytest.mark.parametrize("status", [416, 501])
async def test_a_registry_that_takes_offence_at_ranges(status: int, registry: ScriptedRegistry) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await (fixed(status) if "Range" in request.headers else registry.honest)(request)

    registry.answers[BLOB_PATH] = answer
    assert await blob(registry.host) == BLOB
    assert asked(registry)[-1] == ""


def of_another_blob(first: int, last: int) -> Answer:
    return fixed(206, BLOB[first : last + 1], Content_Range=f"bytes {first}-{last}/{len(BLOB) + 1}")


def of_another_range(first: int, last: int) -> Answer:
    return fixed(206, BLOB[first + 1 : last + 2], Content_Range=f"bytes {first + 1}-{last + 1}/{len(BLOB)}")


def too_short(first: int, last: int) -> Answer:
    return fixed(206, BLOB[first:last], Content_Range=f"bytes {first}-{last}/{len(BLOB)}")


def too_long(first: int, last: int) -> Answer:
    return fixed(206, BLOB[first : last + 9], Content_Range=f"bytes {first}-{last}/{len(BLOB)}")


def whole(_first: int, _last: int) -> Answer:
    return fixed(200, BLOB)


def gone(_first: int, _last: int) -> Answer:
    return fixed(404)


@pytest.mark.parametrize("lie", [of_another_blob, of_another_range, too_short, too_long, whole, gone])
async def test_segments_that_are_not_what_was_asked_for(lie: object, registry: ScriptedRegistry) -> None:
    """The rest comes in one piece, from where it stopped."""
    assert callable(lie)

    async def answer(request: web.Request) -> web.StreamResponse:
        first, _, last = request.headers["Range"].removeprefix("bytes=").partition("-")
        dishonest = int(first) == LATER and last
        return await (lie(int(first), int(last)) if dishonest else registry.honest)(request)

    registry.answers[BLOB_PATH] = answer
    assert await blob(registry.host) == BLOB
    assert asked(registry)[-1] == f"bytes={LATER}-"


async def test_the_next_server_goes_on(registry: ScriptedRegistry, mirror: ScriptedRegistry, tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        first = int(request.headers["Range"].removeprefix("bytes=").partition("-")[0])
        return await (mirror.honest if first < LATER else fixed(404))(request)

    mirror.put(BLOB_PATH, BLOB)
    mirror.answers[BLOB_PATH] = answer
    certs_d = hosts_toml(tmp_path, f'[host."{mirror.url}"]\n')
    assert await blob(registry.host, certs_d=certs_d) == BLOB
    assert asked(registry)[0] == f"bytes={LATER}-{LATER + SEGMENT - 1}"
