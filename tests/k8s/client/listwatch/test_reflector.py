"""The reflector on a real server that misbehaves: the cache has what the server has, every time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from podwright.conformance.patience import patient
from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.listwatch import backoff, reflector
from podwright.k8s.client.listwatch.cache import Cache
from podwright.k8s.client.listwatch.reflector import Reflector
from podwright.k8s.client.protocol import Selection
from podwright.k8s.objects import ConfigMap, Container, ObjectMeta, Pod, PodSpec
from tests.harness.apiserver.faults import Ailment, Fault
from tests.harness.apiserver.server import ApiServer
from tests.k8s.client.connected import connected

WAIT_S = patient(60.0)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_S", 0.01)
    monkeypatch.setattr(backoff, "LONGEST_S", 0.1)
    monkeypatch.setattr(reflector, "SHORT_S", 0.05)


class Kept:
    """A cache of ConfigMaps that is kept up to date, and its server."""

    def __init__(self, server: ApiServer, api: ApiClient, *, streaming: bool, idle_s: float) -> None:
        self.server = server
        self.api = api
        self._changed = asyncio.Event()
        self.cache: Cache[ConfigMap] = Cache(lambda _: self._changed.set())
        self.reflector = Reflector(
            api, ConfigMap, self.cache, Selection(namespace="default"), streaming=streaming, idle_s=idle_s
        )

    def put(self, name: str, text: str) -> None:
        self.server.put(ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data={"text": text}))

    def remove(self, name: str) -> None:
        self.server.remove(ConfigMap, name, "default")

    async def comes_to(self, **texts: str) -> None:
        """Wait until these are all."""
        await self.until(lambda: {each.metadata.name: each.data["text"] for each in self.cache} == texts)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not holds():
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.05)


@contextlib.asynccontextmanager
async def kept(*, streaming: bool = True, idle_s: float = 5.0) -> AsyncIterator[Kept]:
    async with connected() as (server, api):
        made = Kept(server, api, streaming=streaming, idle_s=idle_s)
        made.put("a", "1")
        running = asyncio.create_task(made.reflector.run(), name="reflector")
        try:
            async with asyncio.timeout(WAIT_S):
                await made.reflector.synced()
            yield made
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


@pytest.mark.parametrize("streaming", [True, False])
async def test_what_the_server_has_comes_and_goes(streaming: bool) -> None:
    async with kept(streaming=streaming) as all_of:
        await all_of.comes_to(a="1")
        all_of.put("b", "2")
        all_of.put("a", "3")
        await all_of.comes_to(a="3", b="2")
        all_of.remove("a")
        await all_of.comes_to(b="2")


async def test_an_older_server_is_listed() -> None:
    async with connected() as (server, api):
        server.handler.streaming_lists = False
        made = Kept(server, api, streaming=True, idle_s=5)
        made.put("a", "1")
        task = asyncio.create_task(made.reflector.run())
        await made.comes_to(a="1")
        made.put("a", "2")
        await made.comes_to(a="2")
        assert made.reflector.failure is None
        task.cancel()


BREAKS = {
    "cut": Fault(ailment=Ailment.CUT),
    "reset": Fault(ailment=Ailment.RESET),
    "end": Fault(ailment=Ailment.END),
    "garbage event": Fault(ailment=Ailment.BAD_EVENT),
    "garbage answer": Fault(ailment=Ailment.GARBAGE),
    "expired": Fault(ailment=Ailment.EXPIRE),
    "doubled": Fault(ailment=Ailment.DOUBLE),
    "refused": Fault(ailment=Ailment.REFUSE, code=500),
    "too many": Fault(ailment=Ailment.REFUSE, code=429, retry_after_s=1),
    "gone": Fault(ailment=Ailment.REFUSE, code=410),
    "silent": Fault(ailment=Ailment.HANG, watches=True),
}


@pytest.mark.parametrize("case", BREAKS)
@pytest.mark.parametrize("streaming", [True, False])
async def test_it_goes_on_after_every_break(case: str, streaming: bool) -> None:
    async with kept(streaming=streaming, idle_s=0.3) as all_of:
        fault = BREAKS[case]
        fault.times = 2
        all_of.server.faults.add(fault)
        all_of.put("b", "2")
        await all_of.until(lambda: fault.times == 0)
        all_of.put("a", "3")
        all_of.remove("b")
        await all_of.comes_to(a="3")


async def test_an_event_that_comes_again_later_changes_nothing() -> None:
    async with kept() as all_of:
        fault = all_of.server.faults.add(Fault(ailment=Ailment.REPLAY, watches=True, after=2))
        all_of.server.store.compact()
        await all_of.server.stop()
        await all_of.server.start()
        await all_of.until(lambda: fault.times == 0)
        for number in range(5):
            all_of.put("b", str(number))
            await asyncio.sleep(0.01)
        all_of.remove("b")
        await all_of.comes_to(a="1")


@pytest.mark.parametrize("empty", [True, False])
async def test_a_server_whose_history_begins_anew(empty: bool) -> None:
    async with kept(idle_s=0.5) as all_of:
        all_of.server.handler.bookmark_every_s = 0.1
        for number in range(20):
            all_of.put("b", str(number))
        await all_of.comes_to(a="1", b="19")
        await all_of.server.stop()
        all_of.server.store.reset(empty=empty)
        await all_of.server.start()
        expected = {} if empty else {"a": "1", "b": "19"}
        all_of.put("c", "1")
        await all_of.comes_to(**expected, c="1")


async def test_a_server_that_is_away_is_shown_as_a_failure_until_it_is_back() -> None:
    async with kept() as all_of:
        await all_of.server.stop()
        await all_of.until(lambda: all_of.reflector.failure is not None)
        all_of.put("b", "2")
        all_of.remove("a")
        await all_of.comes_to(a="1")
        await all_of.server.start()
        await all_of.comes_to(b="2")
        assert all_of.reflector.failure is None


async def test_compaction_while_away_means_a_new_list() -> None:
    async with kept(streaming=False) as all_of:
        await all_of.server.stop()
        all_of.put("b", "2")
        all_of.remove("a")
        all_of.server.store.compact()
        await all_of.server.start()
        await all_of.comes_to(b="2")


async def test_a_pod_leaves_when_it_is_no_longer_of_this_node() -> None:
    async with connected() as (server, api):
        changed = asyncio.Event()
        cache: Cache[Pod] = Cache(lambda _: changed.set())
        mine = Reflector(api, Pod, cache, Selection(fields="spec.nodeName=n1"))
        task = asyncio.create_task(mine.run())
        await mine.synced()
        for node in ("n1", "n2", "n1"):
            spec = PodSpec(containers=(Container(name="a", image="i"),), node_name=node)
            server.put(Pod(metadata=ObjectMeta(name="p", namespace="default"), spec=spec))
            wanted = 1 if node == "n1" else 0
            async with asyncio.timeout(WAIT_S):
                while len(cache) != wanted:
                    changed.clear()
                    await changed.wait()
        task.cancel()


async def test_managed_fields_are_not_kept() -> None:
    async with kept() as all_of:
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "m",
                "namespace": "default",
                "managedFields": [{"manager": "x", "fieldsV1": {"a": {}}}],
            },
            "data": {"text": "1"},
        }
        all_of.server.put_document(document)
        await all_of.comes_to(a="1", m="1")
        found = all_of.cache.get("default", "m")
        assert found is not None
        assert found.metadata.managed_fields == ()
