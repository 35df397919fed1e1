"""The client against a server: every verb, every failure, deadlines and silence."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from podwright.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PodwrightError,
    Unavailable,
)
from podwright.k8s.client import patch
from podwright.k8s.client.calls import ApiCall
from podwright.k8s.client.client import CALLS_AT_ONCE, ApiClient
from podwright.k8s.client.endpoint import Endpoint
from podwright.k8s.client.failures import (
    LONGEST_RETRY_S,
    ApiFailure,
    Conflict,
    Garbled,
    Gone,
    TooManyRequests,
    Unauthorized,
    Unreachable,
    too_large_version,
)
from podwright.k8s.client.protocol import Change, ChangeType, Paging, RawRequest, Selection, Watching
from podwright.k8s.client.transport import Transport
from podwright.k8s.codec import encode
from podwright.k8s.objects import (
    ConfigMap,
    Container,
    DeleteOptions,
    Lease,
    LeaseSpec,
    Node,
    ObjectMeta,
    Pod,
    PodSpec,
    PodStatus,
    Preconditions,
    ServiceAccount,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
    TokenRequest,
    TokenRequestSpec,
    TokenReview,
    TokenReviewSpec,
)
from tests.harness.apiserver.faults import Ailment, Fault
from tests.harness.apiserver.server import running
from tests.k8s.client.connected import FixedCredentials, bearer, client_of, connected, endpoint, until


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


def pod(name: str, node: str = "n1") -> Pod:
    spec = PodSpec(containers=(Container(name="a", image="busybox"),), node_name=node)
    return Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


async def test_an_object_is_made_read_changed_and_deleted() -> None:
    async with connected() as (_, api):
        made = await api.create(config_map("a", x="1"))
        assert made.metadata.uid
        assert made == await api.get(ConfigMap, "a", namespace="default")
        await api.update(config_map("a", x="2"))
        changed = await api.patch(ConfigMap, "a", patch.strategic({"data": {"y": "3"}}), namespace="default")
        assert changed.data == {"x": "2", "y": "3"}
        await api.delete(ConfigMap, "a", namespace="default")
        with pytest.raises(NotFound, match="cannot get configmaps default/a"):
            await api.get(ConfigMap, "a", namespace="default")


async def test_all_kinds_of_patches() -> None:
    async with connected() as (_, api):
        await api.create(pod("a"))
        status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        await api.patch(Pod, "a", patch.strategic(status), namespace="default", subresource="status")
        status["status"]["conditions"][0]["type"] = "Initialized"
        seen = await api.patch(Pod, "a", patch.strategic(status), namespace="default", subresource="status")
        assert [each.type for each in seen.status.conditions] == ["Initialized", "Ready"]
        seen = await api.patch(Pod, "a", patch.merge(status), namespace="default", subresource="status")
        assert [each.type for each in seen.status.conditions] == ["Initialized"]
        steps = [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]
        assert (await api.patch(Pod, "a", patch.operations(steps), namespace="default")).metadata.labels == {"a": "b"}
        wanted = config_map("b", x="1")
        assert (await api.patch(ConfigMap, "b", patch.apply(wanted, manager="m"), namespace="default")).data == {
            "x": "1"
        }


async def test_the_status_is_written_apart() -> None:
    async with connected() as (server, api):
        made = await api.create(pod("a"))
        fields = {name: getattr(made, name) for name in made.__struct_fields__}
        sick = Pod(**{**fields, "status": PodStatus(phase="Failed")})
        assert (await api.update(sick)).status.phase == "Pending"
        assert (await api.update(sick, subresource="status")).status.phase == "Failed"
        assert server.get(Pod, "a", "default").metadata.generation == 1


async def test_a_list_comes_in_pages_of_one_version() -> None:
    async with connected() as (server, api):
        for number in range(5):
            await api.create(config_map(f"c{number}"))
        page = await api.list(ConfigMap, Selection(namespace="default"), Paging(limit=2))
        names = [each.metadata.name for each in page.items]
        await api.create(config_map("c1x"))
        version = page.resource_version
        while page.more:
            page = await api.list(ConfigMap, Selection(namespace="default"), Paging(limit=2, more=page.more))
            names += [each.metadata.name for each in page.items]
        assert (names, page.resource_version) == (["c0", "c1", "c2", "c3", "c4"], version)
        page = await api.list(ConfigMap, Selection(namespace="default"), Paging(limit=2))
        await api.delete(ConfigMap, "c0", namespace="default")
        server.store.compact()
        with pytest.raises(Gone):
            await api.list(ConfigMap, Selection(namespace="default"), Paging(limit=2, more=page.more))


async def test_lists_select_by_labels_and_fields() -> None:
    async with connected() as (_, api):
        await api.create(pod("a", "n1"))
        await api.create(pod("b", "n2"))
        await api.patch(Pod, "b", patch.merge({"metadata": {"labels": {"x": "y z"[:1]}}}), namespace="default")
        found = await api.list(Pod, Selection(fields="spec.nodeName=n2", labels="x in (y)"))
        assert [each.metadata.name for each in found.items] == ["b"]


async def test_a_watch_tells_changes_within_its_selection() -> None:
    async with connected() as (server, api):
        chosen = Selection(namespace="default", fields="metadata.name=a")
        await api.create(config_map("a", x="1"))
        async with api.watch(ConfigMap, chosen, Watching(initial_events=True)) as changes:
            first, end = await anext(changes), await anext(changes)
            assert (first.type, end.type, end.initial_end) == (ChangeType.ADDED, ChangeType.BOOKMARK, True)
            await api.create(config_map("b"))
            await api.update(config_map("a", x="2"))
            await api.delete(ConfigMap, "a", namespace="default")
            seen = [await anext(changes), await anext(changes)]
            assert [each.type for each in seen] == [ChangeType.MODIFIED, ChangeType.DELETED]
            assert seen[0].object is not None
            assert seen[0].object.data == {"x": "2"}
        assert server.handler.watches <= 1


async def test_a_watch_goes_on_from_a_version_until_that_is_too_old() -> None:
    async with connected() as (server, api):
        version = (await api.create(config_map("a"))).metadata.resource_version
        await api.create(config_map("b"))
        async with api.watch(ConfigMap, watching=Watching(resource_version=version)) as changes:
            change = await anext(changes)
            assert change.object is not None
            assert change.object.metadata.name == "b"
        server.store.compact()
        with pytest.raises(Gone):
            async with api.watch(ConfigMap, watching=Watching(resource_version=version)) as changes:
                await anext(changes)


async def test_a_watch_ends_in_order_when_its_time_is_over() -> None:
    async with connected() as (_, api):
        watching = Watching(resource_version="0", lifetime_s=1.0)
        async with api.watch(Node, watching=watching) as changes:
            assert [change async for change in changes if change.type is not ChangeType.BOOKMARK] == []


BROKEN_WATCHES = {
    "cut": (Fault(ailment=Ailment.CUT), Unreachable),
    "reset": (Fault(ailment=Ailment.RESET), Unreachable),
    "silent": (Fault(ailment=Ailment.HANG), Unreachable),
    "no event": (Fault(ailment=Ailment.BAD_EVENT), Garbled),
    "no JSON": (Fault(ailment=Ailment.BAD_EVENT, body=b"<html>"), Garbled),
    "no such type": (Fault(ailment=Ailment.BAD_EVENT, body=b'{"type":"SUNK","object":{}}'), Garbled),
    "not our type": (Fault(ailment=Ailment.BAD_EVENT, body=b'{"type":"ADDED","object":{"data":7}}'), Garbled),
    "too old": (Fault(ailment=Ailment.EXPIRE), Gone),
    "a proxy's page": (Fault(ailment=Ailment.GARBAGE), Garbled),
    "refused": (Fault(ailment=Ailment.REFUSE, code=429), TooManyRequests),
}


@pytest.mark.parametrize("case", BROKEN_WATCHES)
async def test_a_broken_watch_says_how_it_broke(case: str) -> None:
    fault, failure = BROKEN_WATCHES[case]
    fault.times = 1
    async with connected() as (server, api):
        await api.create(config_map("a"))
        server.faults.add(fault)
        with pytest.raises(failure) as caught:
            await _followed(api, Watching(idle_s=0.2))
        assert "watch configmaps" in str(caught.value)


async def _followed(api: ApiClient, watching: Watching) -> None:
    async with api.watch(ConfigMap, watching=watching) as changes:
        async for _ in changes:
            pass


FAILURES: dict[str, tuple[Callable[[ApiClient], Awaitable[object]], type[PodwrightError], int]] = {
    "exists": (lambda api: api.create(config_map("there")), AlreadyExists, 409),
    "conflict": (
        lambda api: api.update(
            ConfigMap(metadata=ObjectMeta(name="there", namespace="default", resource_version="1"))
        ),
        Conflict,
        409,
    ),
    "precondition": (
        lambda api: api.delete(
            ConfigMap,
            "there",
            namespace="default",
            options=DeleteOptions(preconditions=Preconditions(uid="other")),
        ),
        FailedPrecondition,
        409,
    ),
    "invalid": (lambda api: api.create(config_map("A name")), InvalidArgument, 422),
    "the future": (
        lambda api: api.list(ConfigMap, paging=Paging(resource_version="99999")),
        Unavailable,
        504,
    ),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_the_server_refuses(case: str) -> None:
    call, failure, code = FAILURES[case]
    async with connected() as (_, api):
        await api.create(config_map("there"))
        with pytest.raises(failure) as caught:
            await call(api)
        assert isinstance(caught.value, ApiFailure)
        assert caught.value.code == code
        assert too_large_version(caught.value) is (code == 504)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 409, 410, 415, 422, 429, 500, 502, 503, 504])
async def test_every_code_has_its_failure(code: int) -> None:
    async with connected() as (server, api):
        server.faults.add(Fault(ailment=Ailment.REFUSE, code=code))
        with pytest.raises(PodwrightError, match="as the test wants it") as caught:
            await api.get(Node, "n1")
        assert isinstance(caught.value, ApiFailure)
        assert caught.value.code == code


async def test_what_is_no_api_object_is_garbled() -> None:
    async with connected() as (server, api):
        for body in (b"", b"{", b"[]", b'{"metadata": 1}', b"{}", b"null", b'{"kind":"Status","status":"Success"}'):
            server.faults.add(Fault(ailment=Ailment.GARBAGE, body=body))
            with pytest.raises(Garbled, match="cannot get nodes n1"):
                await api.get(Node, "n1")


async def test_the_server_is_given_the_time_it_asks_for() -> None:
    async with connected() as (server, api):
        fault = server.faults.add(Fault(ailment=Ailment.REFUSE, code=429, retry_after_s=1))
        await api.create(config_map("a"))
        assert fault.times == 0
        server.faults.add(Fault(ailment=Ailment.REFUSE, code=504, retry_after_s=1))
        with pytest.raises(Unavailable):
            await api.get(ConfigMap, "a", namespace="default")
        server.faults.add(Fault(ailment=Ailment.REFUSE, code=503, retry_after_s=30))
        with pytest.raises(Unavailable) as caught:
            await api.get(ConfigMap, "a", namespace="default", timeout_s=25)
        assert isinstance(caught.value, ApiFailure)
        assert caught.value.retry_after_s == 30
        server.faults.add(Fault(ailment=Ailment.REFUSE, code=503, retry_after_s=10**9))
        with pytest.raises(ApiFailure) as caught_later:
            await api.get(ConfigMap, "a", namespace="default")
        assert caught_later.value.retry_after_s == LONGEST_RETRY_S


async def test_no_answer_ends_with_the_deadline() -> None:
    async with connected() as (server, api):
        await api.list(Node)  # a busy machine may take longer than that to connect
        server.faults.add(Fault(ailment=Ailment.HANG))
        with pytest.raises(DeadlineExceeded, match=r"cannot get nodes n1: no answer within 0\.2 s"):
            await api.get(Node, "n1", timeout_s=0.2)
        server.faults.add(Fault(ailment=Ailment.SLOW, delay_s=5))
        with pytest.raises(DeadlineExceeded):
            async with api.watch(Node, timeout_s=0.2):
                pass


async def test_no_server_is_unreachable_until_there_is_one() -> None:
    async with connected() as (server, api):
        await server.stop()
        with pytest.raises(Unreachable, match=server.url):
            await api.get(Node, "n1")
        await server.start()
        with pytest.raises(NotFound):
            await api.get(Node, "n1")


async def test_a_connection_that_breaks_is_unreachable() -> None:
    async with connected() as (server, api):
        server.faults.add(Fault(ailment=Ailment.RESET, times=5))
        with pytest.raises(Unreachable):
            await api.create(config_map("a"))


async def test_another_authority_is_not_believed() -> None:
    async with running() as server, running() as other:
        where = Endpoint(url=server.url, authorities=other.authority.certificate)
        transport = Transport(where, FixedCredentials(bearer(server.admin_token)))
        with pytest.raises(Unreachable, match="certificate"):
            await ApiClient(transport).get(Node, "n1")
        await transport.close()


class ToldCalls:
    """A `CallListener` that keeps what it hears, without times."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, int, bool]] = []
        self.waits: list[str] = []
        self.repetitions: list[tuple[str, str]] = []
        self.hosts: set[str] = set()

    def called(self, call: ApiCall) -> None:
        self.hosts.add(call.host)
        self.calls.append((call.method, call.code, call.sent_bytes, bool(call.received_bytes)))

    def waited(self, host: str, method: str, seconds: float) -> None:
        assert seconds >= 0
        self.hosts.add(host)
        self.waits.append(method)

    def repeated(self, host: str, method: str, code: str) -> None:
        self.hosts.add(host)
        self.repetitions.append((method, code))


async def test_calls_are_told_of() -> None:
    told = ToldCalls()
    async with running() as server:
        credentials = FixedCredentials(bearer(server.admin_token))
        transport = Transport(endpoint(server), credentials, told)
        api = ApiClient(transport)
        await api.create(config_map("a"))
        server.faults.add(Fault(ailment=Ailment.REFUSE, code=429, retry_after_s=1))
        with pytest.raises(NotFound):
            await api.get(Node, "n1")
        server.faults.add(Fault(ailment=Ailment.RESET, times=1))
        with pytest.raises(Unreachable):
            await api.create(config_map("b"))
        await transport.close()
        assert told.hosts == {server.url.removeprefix("https://")}
    sent = len(encode(config_map("a")))
    assert told.calls == [
        ("POST", "201", sent, True),
        ("GET", "429", 0, True),
        ("GET", "404", 0, True),
        ("POST", "<error>", sent, False),
    ]
    assert told.waits == ["POST", "GET", "POST"]
    assert told.repetitions == [("GET", "429")]


async def test_the_server_name_is_checked_and_may_be_given() -> None:
    async with running() as server:
        for name, failure in (("kubernetes", NotFound), ("elsewhere", Unreachable)):
            where = Endpoint(url=server.url, authorities=server.authority.certificate, server_name=name)
            transport = Transport(where, FixedCredentials(bearer(server.admin_token)))
            with pytest.raises(failure):
                await ApiClient(transport).get(Node, "n1")
            await transport.close()


async def test_a_wrong_token_is_unauthorized() -> None:
    async with running() as server, client_of(server, FixedCredentials(bearer("wrong"))) as api:
        with pytest.raises(Unauthorized) as caught:
            await api.get(Node, "n1")
        assert isinstance(caught.value, PermissionDenied)


async def test_tokens_and_reviews() -> None:
    async with connected() as (server, api):
        request = TokenRequest(spec=TokenRequestSpec(audiences=("me",), expiration_seconds=3600))
        made = await api.create_subresource(ServiceAccount, "default", "token", request, namespace="default")
        review = TokenReview(spec=TokenReviewSpec(token=made.status.token, audiences=("me",)))
        answer = await api.create(review)
        assert answer.status.authenticated
        assert answer.status.user is not None
        assert answer.status.user.username == "system:serviceaccount:default:default"
        server.subresources.policy = lambda user, _: user == "ann"
        for user in ("ann", "bob"):
            access = await api.create(SubjectAccessReview(spec=SubjectAccessReviewSpec(user=user)))
            assert access.status is not None
            assert access.status.allowed is (user == "ann")


async def test_a_pod_has_its_grace_and_a_lease_its_microseconds() -> None:
    async with connected() as (_, api):
        await api.create(pod("a"))
        await api.delete(Pod, "a", namespace="default", options=DeleteOptions(grace_period_seconds=7))
        dying = await api.get(Pod, "a", namespace="default")
        assert dying.metadata.deletion_grace_period_seconds == 7
        await api.delete(Pod, "a", namespace="default", options=DeleteOptions(grace_period_seconds=0))
        with pytest.raises(NotFound):
            await api.get(Pod, "a", namespace="default")
        lease = Lease(
            metadata=ObjectMeta(name="n1", namespace="kube-node-lease"), spec=LeaseSpec(holder_identity="n1")
        )
        assert (await api.create(lease)).spec.holder_identity == "n1"


async def test_a_raw_request() -> None:
    async with connected() as (_, api):
        assert b"gitVersion" in await api.raw(RawRequest(path="/version"))
        with pytest.raises(NotFound):
            await api.raw(RawRequest(path="/apis/nowhere/v1"))


async def test_names_cannot_lead_elsewhere() -> None:
    async with connected() as (server, api):
        for name in ("..", "a/b", "%2e", ""):
            with pytest.raises(InvalidArgument):
                await api.get(ConfigMap, name, namespace="default")
        with pytest.raises(InvalidArgument, match="a namespace is needed"):
            await api.get(ConfigMap, "a")
        assert not server.handler.seen


async def test_a_wait_for_the_rate_limit_counts() -> None:
    async with running() as server:
        transport = Transport(endpoint(server), FixedCredentials(bearer(server.admin_token)))
        api = ApiClient(transport, rate=0.1, burst=1)
        with pytest.raises(NotFound):
            await api.get(Node, "n1")
        with pytest.raises(DeadlineExceeded, match="its turn comes after its deadline"):
            await api.get(Node, "n1", timeout_s=1)
        await transport.close()


async def test_a_client_has_few_calls_under_way_at_once() -> None:
    """Each has a connection, whose TLS handshake costs the server more than a call."""
    async with running() as server:
        transport = Transport(endpoint(server), FixedCredentials(bearer(server.admin_token)))
        server.faults.add(Fault(ailment=Ailment.HANG, path="configmaps", times=CALLS_AT_ONCE))
        api, other = ApiClient(transport), ApiClient(transport)
        calls = [
            asyncio.create_task(api.list(ConfigMap, Selection(namespace=f"n{number}")))
            for number in range(CALLS_AT_ONCE + 1)
        ]
        await until(lambda: len(server.handler.seen) == CALLS_AT_ONCE)
        assert (await other.list(Node)).items == ()  # heartbeats do not wait for it
        assert len(server.handler.seen) == CALLS_AT_ONCE + 1
        calls[0].cancel()
        assert (await calls[-1]).items == ()
        for call in calls[1:-1]:
            call.cancel()
        await asyncio.wait(calls)
        await transport.close()


async def test_closing_ends_watches() -> None:
    async with running() as server:
        transport = Transport(endpoint(server), FixedCredentials(bearer(server.admin_token)))
        seen: list[Change[Node]] = []
        async with ApiClient(transport).watch(Node, watching=Watching(initial_events=True)) as changes:
            seen.append(await anext(changes))
            await transport.close()
            with pytest.raises(Unreachable):
                await anext(changes)
        assert seen[0].initial_end
