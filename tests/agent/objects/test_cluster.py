"""Objects of an API server that pods use: followed, and tokens."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.node.current import CurrentNode
from podwright.agent.objects.accounts import ApiAccounts
from podwright.agent.objects.following import FollowedObjects
from podwright.agent.objects.projected import ApiProjections
from podwright.agent.objects.runtime_classes import ApiRuntimeClasses
from podwright.agent.objects.tokens import PodTokens
from podwright.agent.objects.trust_bundles import TrustBundles
from podwright.agent.objects.watches import ApiObjects
from podwright.agent.pod_certificates.issuing import PodCertificates
from podwright.errors import FailedPrecondition, NotFound, PodwrightError, Unavailable
from podwright.k8s.client.failures import Forbidden
from podwright.k8s.client.protocol import RawRequest, Selection
from podwright.k8s.objects import (
    ClusterTrustBundle,
    ClusterTrustBundleProjection,
    ClusterTrustBundleSpec,
    ConfigMap,
    ConfigMapVolumeSource,
    LabelSelector,
    LocalObjectReference,
    Node,
    ObjectMeta,
    Pod,
    RuntimeClass,
    Secret,
    ServiceAccount,
    ServiceAccountTokenProjection,
    Status,
    TokenRequest,
    TokenRequestStatus,
    Volume,
)
from tests.agent.fakes.direct import DirectApi, settle
from tests.agent.fakes.pods import pod
from tests.agent.fakes.time import VirtualClock, run_virtual
from tests.harness.apiserver.server import ApiServer


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


def user_of(name: str, secret: str = "") -> Pod:
    """A pod with a ConfigMap as a volume, and perhaps a pull secret."""
    volume = Volume(name="settings", config_map=ConfigMapVolumeSource(name=name))
    pull = (LocalObjectReference(name=secret),) if secret else ()
    return pod(volumes=(volume,), image_pull_secrets=pull)


class World:
    """A server, and what is followed of it."""

    def __init__(self) -> None:
        self.server = ApiServer()
        self.api = DirectApi(self.server)
        self.objects = ApiObjects(
            lambda namespace, name: self._follow(ConfigMap, namespace, name),
            lambda namespace, name: self._follow(Secret, namespace, name),
        )

    def _follow(self, kind: Any, namespace: str, name: str) -> Any:
        selection = Selection(namespace=namespace, fields=f"metadata.name={name}")
        followed = FollowedObjects(self.api, kind, selection, is_final=lambda found: bool(found.immutable))
        followed.start()
        return followed

    def watches(self) -> int:
        count = sum(request.startswith("watch") for request in self.api.requests)
        self.api.requests.clear()
        return count


class TestObjects:
    def test_a_change_is_seen(self) -> None:
        async def scenario() -> None:
            world = World()
            world.server.put(config_map("settings", a="1"))
            world.objects.register(user_of("settings", "pull"))
            found = await world.objects.config_map("default", "settings")
            assert found is not None
            assert found.data == {"a": "1"}
            assert await world.objects.secret("default", "pull") is None
            world.server.put(config_map("settings", a="2"))
            await settle()
            found = await world.objects.config_map("default", "settings")
            assert found is not None
            assert found.data == {"a": "2"}
            world.server.remove(ConfigMap, "settings", "default")
            await settle()
            assert await world.objects.config_map("default", "settings") is None
            await world.objects.close()

        run_virtual(scenario())

    def test_two_pods_share_a_watch_that_ends_with_the_last_one(self) -> None:
        async def scenario() -> None:
            world = World()
            first = user_of("settings")
            second = replace(first, metadata=replace(first.metadata, name="second", uid="second"))
            world.objects.register(first)
            world.objects.register(second)
            world.objects.register(second)  # a new version of the pod
            await settle()
            assert world.watches() == 1
            world.objects.unregister(first)
            await world.objects.config_map("default", "settings")
            world.objects.unregister(second)
            world.objects.unregister(second)
            with pytest.raises(Unavailable, match="not watched"):
                await world.objects.config_map("default", "settings")
            await world.objects.close()

        run_virtual(scenario())

    def test_an_immutable_one_is_not_watched_any_more(self) -> None:
        async def scenario() -> None:
            world = World()
            world.server.put(replace(config_map("settings", a="1"), immutable=True))
            world.objects.register(user_of("settings"))
            await world.objects.config_map("default", "settings")
            world.watches()
            await asyncio.sleep(2000)
            assert world.watches() == 0
            assert await world.objects.config_map("default", "settings") is not None
            await world.objects.close()

        run_virtual(scenario())

    def test_a_server_that_does_not_answer_is_said(self) -> None:
        async def scenario() -> None:
            world = World()
            world.api.fail = True
            world.objects.register(user_of("settings"))
            with pytest.raises(Unavailable, match="not known yet"):
                await world.objects.config_map("default", "settings")
            await world.objects.close()

        run_virtual(scenario())


def test_runtime_classes() -> None:
    async def scenario() -> None:
        world = World()
        world.server.put(RuntimeClass(metadata=ObjectMeta(name="vm"), handler="kata"))
        followed = FollowedObjects(world.api, RuntimeClass, Selection())
        classes = ApiRuntimeClasses(followed)
        with pytest.raises(Unavailable):
            classes.handler_of("vm")
        followed.start()
        await settle()
        assert classes.handler_of("vm") == "kata"
        with pytest.raises(NotFound):
            classes.handler_of("other")
        await followed.close()

    run_virtual(scenario())


@dataclass
class TokenServer:
    """Issues tokens that are numbered, and counts requests."""

    clock: VirtualClock
    issued: int = 0
    fail: bool = False
    refusals: int = 0

    async def create_subresource(
        self, owner: Any, name: str, subresource: str, body: TokenRequest, *, namespace: str = ""
    ) -> TokenRequest:
        if self.fail:
            raise Unavailable("the server is down")
        if self.refusals:
            self.refusals -= 1
            raise Forbidden(
                "node requested token bound to a pod scheduled on a different node", status=Status(code=403)
            )
        self.issued += 1
        assert (name, subresource, namespace) == ("default", "token", "default")
        assert body.spec.bound_object_ref is not None
        life = timedelta(seconds=body.spec.expiration_seconds or 0)
        status = TokenRequestStatus(token=f"token-{self.issued}", expiration_timestamp=self.clock_time() + life)
        return replace(body, status=status)

    def clock_time(self) -> Any:
        return datetime.fromtimestamp(self.clock.now_ns() / 1e9, UTC)


class TestTokens:
    HOUR = ServiceAccountTokenProjection(path="token", expiration_seconds=3600)

    def test_one_is_kept_for_most_of_its_life(self) -> None:
        async def scenario() -> None:
            clock = VirtualClock()
            server = TokenServer(clock)
            tokens = PodTokens(server, clock)  # type: ignore[arg-type] # one call of it
            assert await tokens.token(pod(), self.HOUR) == b"token-1"
            await asyncio.sleep(2800)
            assert await tokens.token(pod(), self.HOUR) == b"token-1"
            await asyncio.sleep(100)
            assert await tokens.token(pod(), self.HOUR) == b"token-2"
            assert await tokens.token(pod(uid="other"), self.HOUR) == b"token-3"
            tokens.retain({"other"})
            assert await tokens.token(pod(), self.HOUR) == b"token-4"

        run_virtual(scenario())

    def test_an_old_one_serves_while_the_server_is_down(self) -> None:
        async def scenario() -> None:
            clock = VirtualClock()
            server = TokenServer(clock)
            tokens = PodTokens(server, clock)  # type: ignore[arg-type] # one call of it
            await tokens.token(pod(), self.HOUR)
            server.fail = True
            await asyncio.sleep(3500)
            assert await tokens.token(pod(), self.HOUR) == b"token-1"
            await asyncio.sleep(200)
            with pytest.raises(PodwrightError):
                await tokens.token(pod(), self.HOUR)

        run_virtual(scenario())

    def test_a_server_that_does_not_know_yet_where_the_pod_runs_is_asked_again(self) -> None:
        async def scenario() -> None:
            clock = VirtualClock()
            server = TokenServer(clock)
            tokens = PodTokens(server, clock)  # type: ignore[arg-type] # one call of it
            server.refusals = 3
            assert await tokens.token(pod(), self.HOUR) == b"token-1"
            server.refusals = 4
            with pytest.raises(Forbidden):
                await tokens.token(pod(uid="other"), self.HOUR)

        run_virtual(scenario())


def test_service_accounts_for_credential_providers() -> None:
    class Server:
        """Answers the two calls."""

        async def get(self, kind: type[ServiceAccount], name: str, *, namespace: str) -> ServiceAccount:
            return ServiceAccount(metadata=ObjectMeta(name=name, namespace=namespace, uid="uid-sa"))

        async def create_subresource(
            self, kind: object, name: str, subresource: str, body: TokenRequest, *, namespace: str
        ) -> TokenRequest:
            text = f"{namespace}/{name} for {','.join(body.spec.audiences)}"
            expires = datetime(2100, 1, 1, tzinfo=UTC)
            return replace(body, status=TokenRequestStatus(token=text, expiration_timestamp=expires))

    async def check() -> None:
        server, clock = Server(), VirtualClock()
        accounts = ApiAccounts(server, PodTokens(server, clock))  # type: ignore[arg-type] # two calls of it
        assert (await accounts.account("default", "builder")).metadata.uid == "uid-sa"
        of = pod(service_account_name="builder")
        assert await accounts.account_token(of, "registry") == "default/builder for registry"

    run_virtual(check())


class TestTrustBundles:
    def bundle(self, name: str, *letters: str, **labels: str) -> ClusterTrustBundle:
        text = "".join(f"-----BEGIN CERTIFICATE-----\n{letter}\n-----END CERTIFICATE-----\n" for letter in letters)
        return ClusterTrustBundle(
            metadata=ObjectMeta(name=name, labels=labels),
            spec=ClusterTrustBundleSpec(signer_name="example.com/ca", trust_bundle=text),
        )

    def read(self, world: World, projection: ClusterTrustBundleProjection) -> str:
        clock, node = VirtualClock(), CurrentNode(Node())
        certificates = PodCertificates(world.api, node, clock)
        sources = ApiProjections(world.api, PodTokens(world.api, clock), certificates)
        return asyncio.run(sources.trust_bundle(projection)).decode()

    def test_by_name_and_by_signer(self) -> None:
        world = World()
        world.server.put(self.bundle("one", "A", "B", stage="live"))
        world.server.put(self.bundle("two", "B", "C", stage="live"))
        world.server.put(self.bundle("three", "D", stage="test"))
        named = self.read(world, ClusterTrustBundleProjection(path="ca", name="one"))
        assert named.split() == self.read(world, ClusterTrustBundleProjection(path="ca", name="one")).split()
        assert named.count("BEGIN") == 2
        chosen = ClusterTrustBundleProjection(
            path="ca", signer_name="example.com/ca", label_selector=LabelSelector(match_labels={"stage": "live"})
        )
        assert [line for line in self.read(world, chosen).split("\n") if len(line) == 1] == ["A", "B", "C"]

    def test_one_that_is_missing(self) -> None:
        world = World()
        with pytest.raises(NotFound):
            self.read(world, ClusterTrustBundleProjection(path="ca", name="none"))
        assert self.read(world, ClusterTrustBundleProjection(path="ca", name="none", optional=True)) == ""
        without_selector = ClusterTrustBundleProjection(path="ca", signer_name="example.com/ca", optional=True)
        world.server.put(self.bundle("one", "A"))
        assert self.read(world, without_selector) == ""

    def test_an_older_version_of_them(self) -> None:
        """A server of 1.36 has them as beta, if at all: the group is there without them."""
        beta = OlderServer({"v1": ["certificatesigningrequests"], "v1beta1": ["clustertrustbundles"]})
        bundles = TrustBundles(beta)  # type: ignore[arg-type] # what it is asked
        named = ClusterTrustBundleProjection(path="ca", name="one")
        assert asyncio.run(bundles.texts(named)) == ["v1beta1"]
        assert asyncio.run(bundles.texts(named)) == ["v1beta1"]
        assert [path.rpartition("/")[2] for path in beta.asked] == ["v1", "v1beta1"]  # once
        none = OlderServer({"v1": ["certificatesigningrequests"]})
        with pytest.raises(FailedPrecondition, match="has no ClusterTrustBundles"):
            asyncio.run(TrustBundles(none).texts(named))  # type: ignore[arg-type] # as above


class OlderServer:
    """Has these resources of certificates.k8s.io, by version. A bundle's text is the version that was asked for."""

    def __init__(self, versions: dict[str, list[str]]) -> None:
        self._versions = versions
        self.asked: list[str] = []

    async def raw(self, request: RawRequest) -> bytes:
        self.asked.append(request.path)
        names = self._versions.get(request.path.rpartition("/")[2])
        if names is None:
            raise NotFound(request.path)
        return json.dumps({"kind": "APIResourceList", "resources": [{"name": name} for name in names]}).encode()

    async def get(self, kind: type[ClusterTrustBundle], name: str) -> ClusterTrustBundle:
        spec = ClusterTrustBundleSpec(trust_bundle=kind.API_VERSION.rpartition("/")[2])
        return ClusterTrustBundle(metadata=ObjectMeta(name=name), spec=spec)
