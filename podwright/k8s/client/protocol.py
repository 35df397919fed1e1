"""What the agent needs of an API server: `ApiServer`. The agent's rooms depend on this file and never on HTTP.

Objects are those of `podwright.k8s.objects`. A kind is named by its type (`Pod`), an object by its name and, for a
namespaced kind, its namespace. Answers to writes are the object as the server stored it.

Deadlines: `timeout_s` bounds a whole call in seconds: the wait for the rate limit, repetitions that the server asked
for by Retry-After, the answer's last byte. After it, DeadlineExceeded is raised, and whether a write took place is
not known.

Failures are those of `podwright.errors`, so that `except NotFound` works as everywhere:

    the server's answer (`failures.ApiFailure`, with `code`, `reason`, `retry_after_s`, `causes`):
        404 NotFound               failures.ApiNotFound          is a NotFound
        409 AlreadyExists          failures.ApiAlreadyExists     is an AlreadyExists
        409 Conflict               failures.Conflict             is a FailedPrecondition
        410 Gone, Expired          failures.Gone                 is a FailedPrecondition
        400, 422 Invalid           failures.Invalid              is an InvalidArgument
        401                        failures.Unauthorized         is a PermissionDenied
        403                        failures.Forbidden            is a PermissionDenied
        429                        failures.TooManyRequests      is an Unavailable
        405, 406, 415              failures.Unsupported          is an Unimplemented
        500, 503, 504 and others   failures.ServerFailed         is an Unavailable
    no answer, or an invalid one             failures.Unreachable, failures.Garbled    are Unavailable
    no answer in time                        DeadlineExceeded
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

import msgspec

from podwright.k8s.client.patch import Patch
from podwright.k8s.objects import DeleteOptions
from podwright.k8s.objects.base import Kind

K = TypeVar("K", bound=Kind)

CALL_TIMEOUT_S = 30.0
# An API server sends a bookmark each minute where nothing happens: a watch that is silent for longer hangs.
WATCH_IDLE_S = 100.0
# How long a server keeps a watch open (client-go: between 5 and 10 minutes, by chance).
WATCH_LIFETIME_S = 450.0


class ChangeType(StrEnum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


class Change(msgspec.Struct, Generic[K], frozen=True, kw_only=True):
    """One event of a watch.

    `object` is the object after the change, for DELETED the last state it had, and None for a BOOKMARK, which only
    says that nothing is missing up to `resource_version`. `initial_end` marks the bookmark after the last of the
    initial events (`Watching.initial_events`).
    """

    type: ChangeType
    object: K | None
    resource_version: str
    initial_end: bool = False


class Page(msgspec.Struct, Generic[K], frozen=True, kw_only=True):
    """One page of a list. `more` is the token for the next one, empty on the last. Items carry no kind."""

    items: tuple[K, ...]
    resource_version: str
    more: str = ""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which objects: a namespace ("" is all of them), a label selector and a field selector as text."""

    namespace: str = ""
    labels: str = ""
    fields: str = ""


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list, and how new it has to be.

    `resource_version`: "" asks for the newest state, "0" for any that the server has in memory, another one for that
    or newer. `limit` 0 asks for everything at once. A server may ignore the limit for "0".
    """

    limit: int = 0
    more: str = ""
    resource_version: str = ""


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """From where a watch goes on, and how long it may be open or silent.

    `initial_events` asks for the present objects first, as ADDED, and a bookmark with `initial_end` after them
    (Kubernetes' streaming lists). Servers that cannot do it answer with Invalid.
    """

    resource_version: str = ""
    initial_events: bool = False
    lifetime_s: float = WATCH_LIFETIME_S
    idle_s: float = WATCH_IDLE_S


EVERYWHERE = Selection()
WHOLE = Paging()
FROM_NOW = Watching()
AS_USUAL = DeleteOptions()


class ApiServer(Protocol):
    """An API server. The module's docstring has the deadlines and failures."""

    async def get(self, kind: type[K], name: str, *, namespace: str = "", timeout_s: float = CALL_TIMEOUT_S) -> K:
        """The object as it is now."""

    async def list(
        self,
        kind: type[K],
        selection: Selection = EVERYWHERE,
        paging: Paging = WHOLE,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Page[K]:
        """One page. Raises Gone when `paging.more` is too old: the list has to begin again."""

    def watch(
        self,
        kind: type[K],
        selection: Selection = EVERYWHERE,
        watching: Watching = FROM_NOW,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> AbstractAsyncContextManager[AsyncIterator[Change[K]]]:
        """Changes as they happen. `timeout_s` bounds the opening. The iterator ends when the server ends the answer.

        The iterator raises Gone when the version is too old, Unreachable when the connection breaks, Silent (which is
        one) when nothing comes for `watching.idle_s`, Garbled for what is no event, and what an ERROR event says.
        """

    async def create(self, obj: K, *, timeout_s: float = CALL_TIMEOUT_S) -> K:
        """Create it in `metadata.namespace`. The answer to a review, such as a TokenReview, has the result."""

    async def create_subresource(
        self,
        owner: type[Kind],
        name: str,
        subresource: str,
        body: K,
        *,
        namespace: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> K:
        """POST below an object, such as a TokenRequest to the `token` of a ServiceAccount."""

    async def update(self, obj: K, *, subresource: str = "", timeout_s: float = CALL_TIMEOUT_S) -> K:
        """Replace it. With a `metadata.resource_version`, raises Conflict when another one was stored since."""

    async def patch(
        self,
        kind: type[K],
        name: str,
        patch: Patch,
        *,
        namespace: str = "",
        subresource: str = "",
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> K:
        """Change parts of it. `subresource` is "", "status", "resize", "ephemeralcontainers"."""

    async def delete(
        self,
        kind: type[Kind],
        name: str,
        *,
        namespace: str = "",
        options: DeleteOptions = AS_USUAL,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """Delete it, or ask for its deletion where grace or finalizers delay it.

        `options` holds the grace, preconditions (raises Conflict when they are not met) and the propagation policy.
        """

    async def raw(self, request: RawRequest, *, timeout_s: float = CALL_TIMEOUT_S) -> bytes:
        """Anything else. The answer's body."""


class RawRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for which there are no types. `path` begins with /. `query` is not yet encoded."""

    path: str
    method: str = "GET"
    query: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""
    content_type: str = "application/json"
