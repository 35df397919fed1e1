"""ResourceClaims with real drivers' plug-ins on real sockets: prepared, given to containers, undone, kept."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import pytest_asyncio
from msgspec import structs
from msgspec.structs import replace

from podwright.agent.metrics.claims import ANY_DRIVER, ClaimMetrics
from podwright.agent.metrics.prometheus import exposition
from podwright.agent.resources.claims import slices
from podwright.agent.resources.claims.checkpoint import FILE_NAME
from podwright.agent.resources.claims.drivers import V1BETA1
from podwright.agent.resources.claims.health_file import FILE_NAME as HEALTH_FILE
from podwright.agent.resources.claims.manager import ClaimManager, ClaimPorts
from podwright.agent.resources.claims.references import Claim
from podwright.errors import FailedPrecondition, InvalidArgument, NotFound, PodwrightError, Unavailable
from podwright.k8s.objects import (
    ContainerExtendedResourceRequest,
    Pod,
    PodExtendedResourceClaimStatus,
    PodResourceClaim,
    PodResourceClaimStatus,
    PodStatus,
    ResourceClaim,
    ResourceRequirements,
)
from podwright.kubelet_grpc import dra_health_pb2 as health_messages
from tests.agent.fakes.pods import container, pod
from tests.agent.plugins.plugin import until
from tests.agent.resources.claims.driver import DRIVER, ExampleDriver


@dataclass
class ApiServer:
    """Its claims by name, and the drivers whose slices were withdrawn."""

    claims: dict[str, Claim] = field(default_factory=dict)
    withdrawn: list[str] = field(default_factory=list)

    async def get(self, namespace: str, name: str) -> Claim:
        if name not in self.claims:
            raise NotFound(f"fetch ResourceClaim {name}: there is none")
        return self.claims[name]

    async def withdraw(self, driver: str) -> None:
        self.withdrawn.append(driver)

    def put(self, name: str, *pods: str, drivers: tuple[str, ...] | None = (DRIVER,), owner: str = "") -> None:
        self.claims[name] = Claim(
            uid=f"uid-{name}",
            name=name,
            namespace="default",
            owner_uid=owner,
            reserved_for=frozenset(f"uid-{each}" for each in pods),
            drivers=drivers,
        )


@dataclass
class Node:
    """A node that can be restarted."""

    root: str
    api: ApiServer = field(default_factory=ApiServer)
    active: set[str] = field(default_factory=set)
    changed: list[Collection[str]] = field(default_factory=list)
    metrics: ClaimMetrics = field(default_factory=ClaimMetrics)
    now: float = 100.0
    manager: ClaimManager = field(init=False)

    def monotonic(self) -> float:
        return self.now

    def now_ns(self) -> int:
        return int(self.now * 1e9)

    def start(self) -> None:
        self.manager = ClaimManager(
            self.root,
            ClaimPorts(
                claims=self.api,
                active_uids=lambda: self.active,
                all_sources_read=lambda: True,
                pods_changed=self.changed.append,
                clock=self,
                metrics=self.metrics,
            ),
        )
        self.manager.start()

    def written(self) -> list[Any]:
        """The claims in the file."""
        data = json.loads(json.loads((Path(self.root) / FILE_NAME).read_bytes())["Data"])
        return list(data["ClaimInfoStateList"])

    async def cdi_names(self, of: Pod, name: str = "main") -> list[str]:
        """What a container is given."""
        found = next(each for each in of.spec.containers if each.name == name)
        return list((await self.manager.of(of, found)).cdi_devices)


@pytest.fixture
def root() -> Iterator[str]:
    with TemporaryDirectory(prefix="podwright-claims-") as name:
        yield name


@pytest_asyncio.fixture
async def node(root: str) -> AsyncIterator[Node]:
    node = Node(root)
    node.start()
    yield node
    await node.manager.close()


@pytest_asyncio.fixture
async def driver(node: Node) -> AsyncIterator[ExampleDriver]:
    async with ExampleDriver(f"{node.root}/dra.sock") as driver:
        await node.manager.drivers.register(driver.plugin)
        yield driver


def using(name: str, *claims: str, request: str = "") -> Pod:
    """A pod that uses claims by their own names."""
    wanted = tuple(ResourceClaim(name=f"in-{claim}", request=request) for claim in claims)
    return pod(
        name,
        containers=(container(resources=ResourceRequirements(claims=wanted)), container("other")),
        resource_claims=tuple(PodResourceClaim(name=f"in-{claim}", resource_claim_name=claim) for claim in claims),
    )


async def test_a_claim_is_prepared_given_and_undone(node: Node, driver: ExampleDriver) -> None:
    node.api.put("one", "web")
    web = using("web", "one")
    await node.manager.prepare(web)
    await node.manager.prepare(web)
    assert driver.asked("prepare") == [["one"]]
    assert [node.metrics.in_use.value(name) for name in (ANY_DRIVER, DRIVER)] == [1, 1]
    assert await node.cdi_names(web) == [f"{DRIVER}/gpu=one-first", f"{DRIVER}/gpu=one-second"]
    assert await node.cdi_names(web, "other") == []
    assert await node.cdi_names(using("web", "one", request="second")) == [f"{DRIVER}/gpu=one-second"]
    (share,) = node.manager.claimed(web, web.spec.containers[0])
    assert (share.name, share.devices[0].device, share.devices[1].share) == ("one", "one-first", "s1")
    await node.manager.unprepare(web)
    await node.manager.unprepare(web)
    assert driver.asked("unprepare") == [["one"]]
    lines = exposition(node.metrics.families()).decode().splitlines()
    assert 'dra_resource_claims_in_use{driver_name="<any>"} 0' in lines
    assert not any("in_use" in line and DRIVER in line for line in lines)
    with pytest.raises(FailedPrecondition, match="is not prepared"):
        await node.cdi_names(web)


async def test_a_pod_without_claims_needs_nobody(node: Node) -> None:
    await node.manager.prepare(pod())
    await node.manager.unprepare(pod())
    assert await node.cdi_names(pod()) == []
    assert not (Path(node.root) / FILE_NAME).exists() or node.written() == []


async def test_claims_of_two_drivers_one_of_them_old(node: Node, driver: ExampleDriver) -> None:
    async with ExampleDriver(f"{node.root}/old.sock", name="old.example.org", service=V1BETA1) as old:
        await node.manager.drivers.register(old.plugin)
        node.api.put("one", "web")
        node.api.put("two", "web", drivers=(DRIVER, "old.example.org"))
        await node.manager.prepare(using("web", "one", "two"))
        assert driver.asked("prepare") == [["one", "two"]]
        assert old.asked("prepare") == [["two"]]
        assert len(await node.cdi_names(using("web", "two"))) == 4


async def test_a_shared_claim_is_undone_with_its_last_pod(node: Node, driver: ExampleDriver) -> None:
    node.api.put("one", "a", "b")
    await node.manager.prepare(using("a", "one"))
    await node.manager.prepare(using("b", "one"))
    await node.manager.unprepare(using("a", "one"))
    assert driver.asked("unprepare") == []
    await node.manager.unprepare(using("b", "one"))
    assert driver.asked("unprepare") == [["one"]]


async def test_claims_that_may_not_be_used(node: Node, driver: ExampleDriver) -> None:
    node.api.put("other", "somebody")
    node.api.put("free", "web", drivers=None)
    node.api.put("strange", "web", drivers=("strange.example.org",))
    for name, message in (
        ("none", "fetch ResourceClaim none"),
        ("other", "is not allowed to use ResourceClaim other"),
        ("free", "ResourceClaim free: not allocated"),
        ("strange", "DRA driver strange.example.org is not registered"),
    ):
        with pytest.raises(PodwrightError, match=message):
            await node.manager.prepare(using("web", name))
        await node.manager.unprepare(using("web", name))
    assert driver.calls == []


async def test_claims_of_templates_must_be_the_pods_own(node: Node, driver: ExampleDriver) -> None:
    entry = PodResourceClaim(name="gpu", resource_claim_template_name="template")
    wanted = pod(
        "web",
        containers=(container(resources=ResourceRequirements(claims=(ResourceClaim(name="gpu"),))),),
        resource_claims=(entry,),
    )
    with pytest.raises(NotFound, match="not created yet"):
        await node.manager.prepare(wanted)

    def made(name: str | None) -> Pod:
        statuses = (PodResourceClaimStatus(name="gpu", resource_claim_name=name),)
        return _with_status(wanted, PodStatus(resource_claim_statuses=statuses))

    await node.manager.prepare(made(None))  # the controller has said that none is needed
    node.api.put("web-gpu", "web", owner="uid-other")
    with pytest.raises(FailedPrecondition, match="was not created for Pod default/web"):
        await node.manager.prepare(made("web-gpu"))
    node.api.put("web-gpu", "web", owner="uid-web")
    await node.manager.prepare(made("web-gpu"))
    assert len(await node.cdi_names(made("web-gpu"))) == 2


async def test_the_claim_that_the_scheduler_made_for_extended_resources(node: Node, driver: ExampleDriver) -> None:
    node.api.put("extended", "web")
    mapping = ContainerExtendedResourceRequest(
        container_name="main", request_name="first", resource_name="example.com/gpu"
    )
    status = PodStatus(
        extended_resource_claim_status=PodExtendedResourceClaimStatus(
            request_mappings=(mapping,), resource_claim_name="extended"
        )
    )
    web = _with_status(pod("web", containers=(container(), container("other"))), status)
    await node.manager.prepare(web)
    assert await node.cdi_names(web) == [f"{DRIVER}/gpu=extended-first"]
    assert await node.cdi_names(web, "other") == []


@pytest.mark.parametrize(
    ("set_up", "message"),
    [
        (lambda driver: driver.errors.update(one="no power"), "failed for ResourceClaim one: no power"),
        (lambda driver: driver.skips.add("one"), "skipped 1 ResourceClaims"),
        (lambda driver: setattr(driver, "invents", True), "unknown claim UID no-such"),
    ],
    ids=["error", "skipped", "invented"],
)
async def test_drivers_that_fail_or_lie_are_asked_again(
    node: Node, driver: ExampleDriver, set_up: object, message: str
) -> None:
    node.api.put("one", "web")
    assert callable(set_up)
    set_up(driver)
    with pytest.raises(FailedPrecondition, match=message):
        await node.manager.prepare(using("web", "one"))
    driver.errors.clear()
    driver.skips.clear()
    driver.invents = False
    await node.manager.prepare(using("web", "one"))
    assert len(driver.asked("prepare")) == 2
    driver.errors["one"] = "busy"
    with pytest.raises(FailedPrecondition, match="busy"):
        await node.manager.unprepare(using("web", "one"))
    driver.errors.clear()
    await node.manager.unprepare(using("web", "one"))


async def test_a_pod_whose_driver_is_gone_cannot_end_before_it_is_back(node: Node, driver: ExampleDriver) -> None:
    node.api.put("one", "web")
    await node.manager.prepare(using("web", "one"))
    await node.manager.drivers.deregister(driver.plugin)
    with pytest.raises(Unavailable, match="is not registered"):
        await node.manager.unprepare(using("web", "one"))
    await node.manager.drivers.register(driver.plugin)
    await node.manager.unprepare(using("web", "one"))


async def test_the_health_of_devices_is_the_pods(node: Node, driver: ExampleDriver) -> None:
    node.api.put("one", "web")
    web = using("web", "one")
    await node.manager.prepare(web)

    def shown(of: Pod = web) -> dict[str, list[tuple[str, str, str | None]]]:
        statuses = node.manager.health(of, of.spec.containers[0])
        return {
            status.name: [(each.resource_id, each.health, each.message) for each in status.resources]
            for status in statuses
        }

    first, second = f"{DRIVER}/gpu=one-first", f"{DRIVER}/gpu=one-second"
    assert shown() == {"claim:in-one": [(first, "Unknown", None), (second, "Unknown", None)]}
    driver.tell("one-first", health_messages.UNHEALTHY, "it burns")
    await until(lambda: node.changed == [{"uid-web"}])
    assert shown() == {"claim:in-one": [(first, "Unhealthy", "it burns"), (second, "Unknown", None)]}
    assert shown(using("web", "one", request="second")) == {"claim:in-one/second": [(second, "Unknown", None)]}
    driver.tell("one-first", health_messages.HEALTHY)
    await until(lambda: len(node.changed) == 2)
    assert shown()["claim:in-one"][0] == (first, "Healthy", None)
    node.now += 31
    assert shown()["claim:in-one"][0] == (first, "Unknown", None)
    node.now -= 31
    await driver.stop()
    await until(lambda: len(node.changed) == 3)
    assert shown()["claim:in-one"][0] == (first, "Unknown", None)
    assert shown(pod()) == {}


async def test_the_health_of_devices_outlives_the_agent(node: Node, driver: ExampleDriver) -> None:
    node.api.put("one", "web")
    web = using("web", "one")
    await node.manager.prepare(web)
    driver.tell("one-first", health_messages.UNHEALTHY, "it burns")
    await until(lambda: node.changed == [{"uid-web"}])
    [written] = json.loads((Path(node.root) / HEALTH_FILE).read_bytes())[DRIVER]["Devices"].values()
    assert (written["DeviceName"], written["Health"], written["Message"]) == ("one-first", "Unhealthy", "it burns")
    await node.manager.close()

    def shown() -> list[tuple[str, str | None]]:
        [status] = node.manager.health(web, web.spec.containers[0])
        return [(each.health, each.message) for each in status.resources]

    for age_s, expected in ((20, ("Unhealthy", "it burns")), (31, ("Unknown", None))):
        node.now = 100.0 + age_s
        node.start()
        assert shown()[0] == expected
        await node.manager.close()
    (Path(node.root) / HEALTH_FILE).write_text("{")
    node.start()  # what nobody can read harms nobody
    assert shown()[0] == ("Unknown", None)


async def test_another_claim_of_the_same_name(node: Node, driver: ExampleDriver) -> None:
    node.api.put("one", "web", "next")
    await node.manager.prepare(using("web", "one"))
    node.api.claims["one"] = replace(node.api.claims["one"], uid="new")
    with pytest.raises(FailedPrecondition, match="old ResourceClaim with same name one"):
        await node.manager.prepare(using("next", "one"))


async def test_a_restarted_agent_knows_what_is_prepared(node: Node, driver: ExampleDriver) -> None:
    node.api.put("one", "web")
    web = using("web", "one")
    await node.manager.prepare(web)
    await node.manager.close()
    node.start()
    assert len(await node.cdi_names(web)) == 2
    await node.manager.drivers.register(driver.plugin)
    await node.manager.prepare(web)  # a new sandbox: drivers are asked again
    assert len(driver.asked("prepare")) == 2
    assert len(await node.cdi_names(web)) == 2
    node.active = {"uid-web"}
    await node.manager.reconcile()
    assert driver.asked("unprepare") == []
    node.active = set()
    await node.manager.reconcile()
    assert driver.asked("unprepare") == [["one"]]


async def test_a_worker_and_the_look_after_gone_pods_may_undo_the_same(node: Node, driver: ExampleDriver) -> None:
    node.api.put("one", "web")
    web = using("web", "one")
    await node.manager.prepare(web)
    await asyncio.gather(node.manager.unprepare(web), node.manager.reconcile())
    assert node.written() == []


async def test_the_file_is_a_kubelets(node: Node, driver: ExampleDriver) -> None:
    node.api.put("one", "web")
    await node.manager.prepare(using("web", "one"))
    path = Path(node.root) / FILE_NAME
    file = json.loads(path.read_bytes())
    assert file["Checksum"] == zlib.crc32(file["Data"].encode())
    (claim,) = node.written()
    assert claim["PodUIDs"] == {"uid-web": {}}
    assert claim["DriverState"][DRIVER]["Devices"][0] == {
        "PoolName": "pool",
        "DeviceName": "one-first",
        "ShareID": None,
        "RequestNames": ["first"],
        "CDIDeviceIDs": [f"{DRIVER}/gpu=one-first"],
    }
    await node.manager.close()
    path.write_text(json.dumps({**file, "Checksum": 1}))
    with pytest.raises(FailedPrecondition, match="checksum is wrong"):
        node.start()
    path.write_text("nonsense")
    with pytest.raises(FailedPrecondition, match="cannot be read"):
        node.start()


async def test_versions_that_nobody_knows(node: Node, driver: ExampleDriver) -> None:
    with pytest.raises(InvalidArgument, match="invalid supported gRPC versions"):
        node.manager.drivers.validate(replace(driver.plugin, versions=("v9.DRAPlugin",)))
    node.manager.drivers.validate(replace(driver.plugin, versions=("v9.DRAPlugin", V1BETA1)))
    with pytest.raises(PodwrightError, match="already registered"):
        await node.manager.drivers.register(driver.plugin)


async def test_offers_are_withdrawn_when_the_driver_is_gone(
    node: Node, driver: ExampleDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: node.api.withdrawn == [""])  # at the start
    await until(lambda: node.manager.drivers.is_usable(DRIVER))
    monkeypatch.setattr(slices, "WITHDRAW_AFTER_S", 0.05)
    await driver.stop()
    await until(lambda: node.api.withdrawn == ["", DRIVER])


async def test_the_newest_plugin_that_is_connected_is_asked(node: Node, driver: ExampleDriver) -> None:
    drivers = node.manager.drivers
    await until(lambda: drivers.is_usable(DRIVER))
    async with ExampleDriver(f"{node.root}/newer.sock") as newer:
        await drivers.register(newer.plugin)
        await until(lambda: drivers.get(DRIVER).path == newer.path and drivers.get(DRIVER).is_connected)
        await newer.stop()
        await until(lambda: drivers.get(DRIVER).path == driver.path)
        await drivers.deregister(newer.plugin)
        await drivers.deregister(newer.plugin)
    assert drivers.get(DRIVER).path == driver.path


def _with_status(of: Pod, status: PodStatus) -> Pod:
    return structs.replace(of, status=status)
