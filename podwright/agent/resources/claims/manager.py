"""Has drivers prepare the claims of a pod before its sandbox is created, and unprepare them after its end.

The rules and messages are those of the kubelet's DRA manager (pkg/kubelet/cm/dra of Kubernetes 1.36). The use of a
claim is saved before its driver is called, so that after a crash the driver is called to undo what it may have done.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.configs.devices import NOTHING, Allocation
from podwright.agent.metrics.claims import ANY_DRIVER, ClaimMetrics
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.resources import state_files
from podwright.agent.resources.claims import checkpoint
from podwright.agent.resources.claims.api import Claims
from podwright.agent.resources.claims.drivers import DraDrivers, DriverPorts
from podwright.agent.resources.claims.health import HealthReport, Place
from podwright.agent.resources.claims.health_file import SavedHealths
from podwright.agent.resources.claims.records import ClaimDevice, ClaimRecord
from podwright.agent.resources.claims.references import (
    Claim,
    ClaimReference,
    check_use,
    claims_of,
    known_claims_of,
    requests_of,
)
from podwright.agent.resources.claims.slices import SliceWithdrawal
from podwright.agent.resources.pod_resources.shares import ClaimedDevice, ClaimShare
from podwright.errors import FailedPrecondition, Internal, PodwrightError
from podwright.k8s.objects import Container, Pod, ResourceStatus
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

PERIOD_S = 60.0  # between searches for claims of pods that are gone
Key = tuple[str, str]  # namespace and name


class ClaimPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the manager needs of other rooms."""

    claims: Claims
    active_uids: Callable[[], Collection[str]]  # of the pods that run or will run
    all_sources_read: Callable[[], bool]
    pods_changed: Callable[[Collection[str]], None]  # called when the health of devices of these pods has changed
    clock: Clock
    metrics: ClaimMetrics
    watches_health: bool = True


class ClaimManager:
    """Implements `workers.ports.PodClaims`, `configs.ports.Allocations` and `pod_resources.shares.ClaimShares`."""

    def __init__(self, root: str, ports: ClaimPorts) -> None:
        """`root` is the agent's own directory."""
        self._path = f"{root}/{checkpoint.FILE_NAME}"
        self._ports = ports
        self._records: dict[Key, ClaimRecord] = {}
        self._slices = SliceWithdrawal(ports.claims)
        self._healths = SavedHealths(root, ports.clock)
        self._tasks = Tasks()
        self.drivers = DraDrivers(
            DriverPorts(listener=self, clock=ports.clock, metrics=ports.metrics, watches_health=ports.watches_health)
        )

    def start(self) -> None:
        """Take over the claims in use. Raises FailedPrecondition if their file cannot be read."""
        content = state_files.read_state(self._path)
        records = checkpoint.decode(content) if content is not None else []
        self._records = {(record.namespace, record.name): record for record in records}
        self._healths.start()
        self._slices.start()
        self._tasks.start(self._look_after(), name="claims of pods that are gone")

    async def close(self) -> None:
        """End the connections to drivers. Claims stay prepared."""
        await self._tasks.close()
        await self._slices.close()
        await self.drivers.close()

    # -- for pod workers

    async def prepare(self, pod: Pod) -> None:
        """Prepare all claims of the pod. Raises PodwrightError.

        If a driver is missing, nothing is recorded, so that the pod can be deleted without it.
        """
        with self._timed("PrepareResources"):
            await self._prepare_pod(pod)

    async def _prepare_pod(self, pod: Pod) -> None:
        used = [await self._usable(pod, reference) for reference in claims_of(pod)]
        for name in {name for claim in used for name in claim.drivers or ()}:
            self.drivers.get(name)  # all drivers must exist before anything is recorded
        if not used:
            return
        for claim in used:
            self._note(claim, pod.metadata.uid)
        self._save()
        keys = [(claim.namespace, claim.name) for claim in used]
        missing = [self._records[key] for key in keys if not self._records[key].is_prepared]
        await self._prepare(missing)

    async def unprepare(self, pod: Pod) -> None:
        """Unprepare the pod's claims after its containers have ended.

        Raises PodwrightError until its drivers have succeeded.
        """
        uid = pod.metadata.uid
        if keys := self._keys_of(uid):
            with self._timed("UnprepareResources"):
                await self._unprepare(uid, keys)

    # -- for containers, their statuses and monitors

    async def of(self, pod: Pod, container: AnyContainer) -> Allocation:
        """See Allocations: the CDI names of the container's devices."""
        if not isinstance(container, Container):
            return NOTHING
        names: dict[str, None] = {}
        for name, request in requests_of(pod, container):
            record = self._records.get((pod.metadata.namespace, name))
            if record is None:
                raise FailedPrecondition(f"ResourceClaim {name} is not prepared on this node")
            names.update(dict.fromkeys(record.cdi_names(request)))
        return Allocation(cdi_devices=tuple(names)) if names else NOTHING

    def claimed(self, pod: Pod, container: Container) -> Sequence[ClaimShare]:
        try:
            names = dict.fromkeys(name for name, _ in requests_of(pod, container))
        except PodwrightError:
            return ()
        records = (self._records.get((pod.metadata.namespace, name)) for name in names)
        return [_share(record) for record in records if record is not None]

    def health(self, pod: Pod, container: Container) -> list[ResourceStatus]:
        """The health of the container's claimed devices."""
        names = {reference.entry: reference.name for reference in known_claims_of(pod)}
        found = []
        for claim in container.resources.claims:
            record = self._records.get((pod.metadata.namespace, names.get(claim.name, "")))
            if record is not None:
                found.append(self._healths.status(claim.name, claim.request, record))
        return [status for status in found if status.resources]

    # -- inside

    @contextlib.contextmanager
    def _timed(self, operation: str) -> Iterator[None]:
        begun, is_error = self._ports.clock.monotonic(), True
        try:
            yield
            is_error = False
        finally:
            took_s = self._ports.clock.monotonic() - begun
            self._ports.metrics.operations.observe(took_s, operation, str(is_error).lower())

    async def _usable(self, pod: Pod, reference: ClaimReference) -> Claim:
        claim = await self._ports.claims.get(pod.metadata.namespace, reference.name)
        check_use(pod, reference, claim)
        return claim

    def _note(self, claim: Claim, pod_uid: str) -> None:
        key = (claim.namespace, claim.name)
        record = self._records.get(key)
        if record is None:
            record = ClaimRecord(
                uid=claim.uid,
                name=claim.name,
                namespace=claim.namespace,
                pods=frozenset(),
                drivers=dict.fromkeys(claim.drivers or (), ()),
            )
        if record.uid != claim.uid:
            raise FailedPrecondition(
                f"old ResourceClaim with same name {claim.name} and different UID {record.uid} still exists "
                "(previous pod force-deleted?!)"
            )
        self._records[key] = msgspec.structs.replace(record, pods=record.pods | {pod_uid})

    async def _prepare(self, records: Sequence[ClaimRecord]) -> None:
        prepared: dict[str, dict[str, tuple[ClaimDevice, ...]]] = {record.uid: {} for record in records}
        for name, batch in _by_driver(records).items():
            for uid, devices in (await self.drivers.get(name).prepare(batch)).items():
                prepared[uid][name] = devices
        for record in records:
            key = (record.namespace, record.name)
            now = self._records.get(key)
            if now is not None and now.uid == record.uid:
                self._records[key] = msgspec.structs.replace(now, drivers=prepared[record.uid], is_prepared=True)
        if records:
            self._save()

    async def _unprepare(self, pod_uid: str, keys: Iterable[Key]) -> None:
        """Unprepare these claims of a pod. Claims that other pods use stay prepared."""
        own = []
        for key in keys:
            record = self._records[key]
            if record.pods == {pod_uid}:
                own.append(record)
                self._records[key] = msgspec.structs.replace(record, is_prepared=False)
            else:
                self._records[key] = msgspec.structs.replace(record, pods=record.pods - {pod_uid})
        for name, batch in _by_driver(own).items():
            await self.drivers.get(name).unprepare(batch)
        for key in ((record.namespace, record.name) for record in own):
            now = self._records.pop(key, None)
            if now is not None and now.pods != {pod_uid}:  # other pods use it now, and had it prepared again
                self._records[key] = msgspec.structs.replace(now, pods=now.pods - {pod_uid})
        self._save()

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            if self._ports.all_sources_read():
                await self.reconcile()

    async def reconcile(self) -> None:
        """Unprepare the claims of pods whose end was missed."""
        active = frozenset(self._ports.active_uids())
        gone = {uid for record in self._records.values() for uid in record.pods} - active
        for uid in gone:
            try:
                await self._unprepare(uid, self._keys_of(uid))
            except PodwrightError as failure:
                log.warning("claims of a pod that is gone stay prepared: uid=%s error=%s", uid, failure)

    def _keys_of(self, pod_uid: str) -> list[Key]:
        return [key for key, record in self._records.items() if pod_uid in record.pods]

    # -- `drivers.DriverListener`

    def health_reported(self, name: str, reports: Iterable[HealthReport]) -> None:
        self._tell(name, self._healths.update(name, reports))

    def health_lost(self, name: str) -> None:
        self._tell(name, self._healths.lose(name))

    def _tell(self, driver: str, changed: Collection[Place]) -> None:
        uids = {
            uid
            for record in self._records.values()
            if any((each.pool, each.device) in changed for each in record.drivers.get(driver, ()))
            for uid in record.pods
        }
        if uids:
            self._ports.pods_changed(uids)

    def driver_changed(self, name: str) -> None:
        if self.drivers.is_usable(name):
            self._slices.usable(name)
        else:
            self._slices.gone(name)

    def _count(self) -> None:
        self._ports.metrics.in_use.clear()
        for driver, count in in_use(self._records.values()).items():
            self._ports.metrics.in_use.set(count, driver)

    def _save(self) -> None:
        """Save the records. Raises Internal, after which nothing must be begun."""
        self._count()
        try:
            state_files.write_state(self._path, checkpoint.encode(self._records.values()))
        except OSError as failure:
            raise Internal(f"cannot save the claims in use to {self._path}: {failure}") from failure


def in_use(records: Iterable[ClaimRecord]) -> dict[str, int]:
    """The numbers of prepared claims, by driver and in total."""
    prepared = [record for record in records if record.is_prepared]
    counts = Counter(driver for record in prepared for driver in record.drivers)
    return {ANY_DRIVER: len(prepared), **counts}


def _by_driver(records: Iterable[ClaimRecord]) -> dict[str, list[ClaimRecord]]:
    found: dict[str, list[ClaimRecord]] = {}
    for record in records:
        for name in record.drivers:
            found.setdefault(name, []).append(record)
    return found


def _share(record: ClaimRecord) -> ClaimShare:
    return ClaimShare(
        name=record.name,
        namespace=record.namespace,
        devices=[
            ClaimedDevice(driver=name, pool=each.pool, device=each.device, cdi_names=each.cdi_names, share=each.share)
            for name, devices in sorted(record.drivers.items())
            for each in devices
        ],
    )
