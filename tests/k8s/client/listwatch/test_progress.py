"""Whatever breaks, the sink comes to have what the server has: against a model of a server and its history."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from podwright.errors import DeadlineExceeded, PodwrightError
from podwright.k8s.client.failures import Garbled, Gone, Invalid, Renewed, Silent, Unreachable, failure_of
from podwright.k8s.client.listwatch.cache import Cache
from podwright.k8s.client.listwatch.progress import OutOfOrder, Progress, is_older
from podwright.k8s.client.protocol import Change, ChangeType, Page, Paging, Watching
from podwright.k8s.objects import ConfigMap, ObjectMeta, Status, StatusCause, StatusDetails

FIRST = 1000
NAMES = st.sampled_from("abcdef")
TOO_LARGE = Status(code=504, details=StatusDetails(causes=(StatusCause(reason="ResourceVersionTooLarge"),)))


def bookmark(version: int, *, end: bool = False) -> Change[ConfigMap]:
    return Change(type=ChangeType.BOOKMARK, object=None, resource_version=str(version), initial_end=end)


class ModelServer:
    """Objects, versions, history; pages are of the version at which their list began."""

    def __init__(self) -> None:
        self.version = self.oldest = FIRST
        self.objects: dict[str, ConfigMap] = {}
        self.history: list[Change[ConfigMap]] = []
        self.streaming = True
        self._lists: dict[str, tuple[int, list[ConfigMap]]] = {}

    def put(self, name: str, text: str) -> None:
        self.version += 1
        kind = ChangeType.MODIFIED if name in self.objects else ChangeType.ADDED
        metadata = ObjectMeta(name=name, namespace="n", resource_version=str(self.version), uid=name)
        self.objects[name] = ConfigMap(metadata=metadata, data={"text": text})
        self.history.append(Change(type=kind, object=self.objects[name], resource_version=str(self.version)))

    def delete(self, name: str) -> None:
        self.version += 1
        gone = self.objects.pop(name)
        self.history.append(Change(type=ChangeType.DELETED, object=gone, resource_version=str(self.version)))

    def reset(self, *, empty: bool) -> None:
        texts = {} if empty else {name: obj.data["text"] for name, obj in self.objects.items()}
        self.objects, self.history, self._lists = {}, [], {}
        self.version = self.oldest = 1
        for name, text in texts.items():
            self.put(name, text)

    def compact(self) -> None:
        self.oldest, self.history, self._lists = self.version, [], {}

    def watch(self, asked: Watching) -> Iterator[Change[ConfigMap]]:
        start = int(asked.resource_version or 0)
        if asked.initial_events:
            if not self.streaming:
                raise failure_of(Status(reason="Invalid", code=422), "watch")
            if start > self.version:
                raise failure_of(TOO_LARGE, "watch")
            now = self.version
            for obj in list(self.objects.values()):
                yield Change(type=ChangeType.ADDED, object=obj, resource_version=obj.metadata.resource_version)
            yield bookmark(now, end=True)
            start = now
        elif start > self.version:  # as a kube-apiserver: no events, no bookmarks
            raise Silent("nothing comes")
        elif start < self.oldest:
            raise failure_of(Status(reason="Expired", code=410), "watch")
        yield from [each for each in self.history if int(each.resource_version) > start]
        yield bookmark(self.version)

    def list(self, asked: Paging) -> Page[ConfigMap]:
        if asked.more:
            if asked.more not in self._lists:
                raise failure_of(Status(reason="Expired", code=410), "list")
            version, rest = self._lists.pop(asked.more)
        else:
            if int(asked.resource_version or 0) > self.version:
                raise failure_of(TOO_LARGE, "list")
            version, rest = self.version, list(self.objects.values())
        page, left = rest[: asked.limit], rest[asked.limit :]
        more = f"{version}-{len(left)}" if left else ""
        if left:
            self._lists[more] = (version, left)
        return Page(items=tuple(page), resource_version=str(version), more=more)


class Convergence(RuleBasedStateMachine):
    """Changes at the server, and requests that break in every way, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ModelServer()
        self.cache: Cache[ConfigMap] = Cache()
        self.progress = Progress(self.cache, streaming=True, lean=lambda obj: obj, page_objects=2)
        self.before: list[Change[ConfigMap]] = []

    @rule(name=NAMES, text=st.sampled_from("xyz"))
    def put(self, name: str, text: str) -> None:
        self.server.put(name, text)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        if name in self.server.objects:
            self.server.delete(name)

    @rule()
    def compact(self) -> None:
        self.server.compact()

    @rule(empty=st.booleans())
    def reset(self, empty: bool) -> None:
        """Versions begin again below all that were seen: what a client cannot tell, no client can."""
        if self.server.version >= FIRST:
            self.server.reset(empty=empty)

    @rule(can=st.booleans())
    def upgrade(self, can: bool) -> None:
        self.server.streaming = can

    @rule(
        until=st.integers(0, 8),
        double=st.booleans(),
        replay=st.integers(0, 3),
        end=st.sampled_from(["ends", Unreachable, Garbled, DeadlineExceeded]),
    )
    def request(self, until: int, double: bool, replay: int, end: str | type[PodwrightError]) -> None:
        asked = self.progress.ask()
        try:
            if isinstance(asked, Paging):
                if not isinstance(end, str):
                    raise end("broken")
                self.progress.take_page(self.server.list(asked))
                return
            for number, change in enumerate(self.server.watch(asked)):
                if number >= until:
                    if not isinstance(end, str):
                        raise end("broken")
                    return
                for _ in range(2 if double else 1):
                    self.progress.take(change)
                self.before.append(change)
            for change in self.before[len(self.before) - replay :]:
                self.progress.take(change)
        except PodwrightError as failure:
            self.progress.fail(failure)

    @invariant()
    def the_sink_never_holds_what_never_was(self) -> None:
        for obj in self.cache:
            assert obj.data["text"] in "xyz"

    def teardown(self) -> None:
        for _ in range(12):
            self.well()
        have = {obj.metadata.name: obj for obj in self.cache}
        assert have == self.server.objects

    def well(self) -> None:
        """A request to which nothing happens."""
        asked = self.progress.ask()
        try:
            if isinstance(asked, Paging):
                self.progress.take_page(self.server.list(asked))
            else:
                for change in self.server.watch(asked):
                    self.progress.take(change)
        except PodwrightError as failure:
            self.progress.fail(failure)


Convergence.TestCase.settings = settings(max_examples=300, stateful_step_count=40)
TestConvergence = Convergence.TestCase


def progress_of(server: ModelServer) -> tuple[Progress[ConfigMap], Cache[ConfigMap]]:
    cache: Cache[ConfigMap] = Cache()
    return Progress(cache, streaming=server.streaming, lean=lambda obj: obj, page_objects=2), cache


def test_the_first_request_is_a_streaming_list_of_any_version() -> None:
    progress, _ = progress_of(ModelServer())
    assert progress.ask() == Watching(initial_events=True)
    assert not progress.synced


def test_a_server_without_streaming_lists_is_asked_for_pages_at_once() -> None:
    server = ModelServer()
    progress, cache = progress_of(server)
    refusal = failure_of(Status(reason="Invalid", code=422), "watch")
    assert isinstance(refusal, Invalid)
    assert progress.fail(refusal) is False
    assert progress.fail(Renewed("a newer certificate")) is False  # nothing is wrong with the server
    for name in "abc":
        server.put(name, "x")
    first = progress.ask()
    assert first == Paging(limit=2, resource_version="0")
    progress.take_page(server.list(first))
    assert not progress.synced
    second = progress.ask()
    assert isinstance(second, Paging)
    assert second.more
    progress.take_page(server.list(second))
    assert len(cache) == 3
    assert progress.ask() == Watching(resource_version=str(server.version))


def test_a_page_that_fails_is_asked_for_again_and_one_that_expires_begins_anew() -> None:
    server = ModelServer()
    server.streaming = False
    progress, _ = progress_of(server)
    for name in "abc":
        server.put(name, "x")
    progress.take_page(server.list(Paging(limit=2)))
    token = progress.ask()
    progress.fail(Unreachable("broken"))
    assert progress.ask() == token
    progress.fail(failure_of(Status(reason="Expired", code=410), "list"))
    assert progress.ask() == Paging(limit=2, resource_version="")


def test_an_old_version_asks_for_the_newest_state() -> None:
    progress, _ = progress_of(ModelServer())
    progress.take(bookmark(50, end=True))
    assert progress.ask() == Watching(resource_version="50")
    progress.fail(Gone("old", status=Status(code=410)))
    assert progress.ask() == Watching(resource_version="", initial_events=True)


def test_a_watch_that_hears_nothing_is_asked_for_anew_at_once_unless_it_never_heard_anything() -> None:
    progress, _ = progress_of(ModelServer())
    progress.take(bookmark(50, end=True))
    assert not progress.fail(Silent("nothing for 100 s"))
    assert progress.ask() == Watching(resource_version="", initial_events=True)
    assert progress.fail(Silent("nothing for 100 s"))
    assert progress.fail(Unreachable("refused"))


def test_a_list_is_never_older_than_what_was_seen() -> None:
    progress, _ = progress_of(ModelServer())
    progress.take(bookmark(50, end=True))
    progress.fail(Unreachable("broken"))
    assert progress.ask() == Watching(resource_version="50")


def test_a_watch_that_goes_back_is_not_believed() -> None:
    progress, _ = progress_of(ModelServer())
    progress.take(bookmark(50, end=True))
    with pytest.raises(OutOfOrder, match="from version 50 to 49"):
        progress.take(bookmark(49))


def test_versions_that_are_no_numbers_tell_nothing() -> None:
    assert is_older("9", "10")
    assert not is_older("10", "9")
    assert not is_older("a", "b")


def test_versions_of_any_length_are_compared() -> None:
    assert is_older("9" * 5000, "1" + "0" * 5000)
    assert not is_older("010", "9")


def test_a_list_without_a_version_is_not_believed() -> None:
    """A proxy's `{}` would be a list of nothing, and end every pod."""
    for streaming in (True, False):
        progress: Progress[ConfigMap] = Progress(Cache(), streaming=streaming, lean=lambda obj: obj)
        progress.ask()
        with pytest.raises(Garbled, match="no resource version"):
            _first_answer(progress, streaming=streaming)
        assert not progress.synced


def _first_answer(progress: Progress[ConfigMap], *, streaming: bool) -> None:
    if streaming:
        progress.take(Change(type=ChangeType.BOOKMARK, object=None, resource_version="", initial_end=True))
    else:
        progress.take_page(Page(items=(), resource_version=""))
