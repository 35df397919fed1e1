"""Sandboxes on the host's CNI network. Called by `service`.

A record with the configuration is written before ADD and deleted after DEL. So an attachment is undone with the same
configuration, even if it is incomplete, after a crash, or after a change of the directory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any

import msgspec
from msgspec.structs import replace

from podwright.errors import FailedPrecondition, Internal, PodwrightError
from podwright.linux import namespaces
from podwright.process import ProcessRunner
from podwright.runtime.config import NetworkSettings
from podwright.runtime.model.base import Value
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Attachment
from podwright.runtime.network import links
from podwright.runtime.network.cni import results
from podwright.runtime.network.cni.cache import CachedAttachment, ResultCache
from podwright.runtime.network.cni.calls import CniTarget
from podwright.runtime.network.cni.capabilities import capability_arguments, cni_args
from podwright.runtime.network.cni.catalog import CniChoice, CniConfigs
from podwright.runtime.network.cni.chain import Chain
from podwright.runtime.network.cni.config import NetworkList, parse
from podwright.runtime.network.cni.memory import CAPABILITY, AddressMemory
from podwright.runtime.network.cni.plugin import PluginFile, PluginRunner
from podwright.runtime.network.request import INTERFACE, NetworkRequest
from podwright.runtime.network.threads import in_fresh_thread
from podwright.runtime.state import Database, RecordTable

log = logging.getLogger(__name__)

BACKEND = "cni"
STATUS_TIMEOUT_S = 10.0
GC_TIMEOUT_S = 30.0


class CniRecord(Value, frozen=True, kw_only=True):
    """An attachment, in progress until `added` is true. `config` is the network's list as JSON."""

    network: str
    config: str
    netns: str
    args: tuple[tuple[str, str], ...] = ()
    capability_args: dict[str, Any] = {}  # noqa: RUF012 # msgspec copies empty defaults for every instance
    added: bool = False


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """A network as `found`, and as it is used with these plugins: in the one version that all of them support."""

    found: NetworkList
    files: tuple[PluginFile, ...]
    network: NetworkList


class CniNetwork:
    """The network that [network] cni_conf_dir describes."""

    def __init__(self, options: NetworkSettings, database: Database, runner: ProcessRunner) -> None:
        self._plugins = PluginRunner(options.cni_bin_dirs, runner)
        self._catalog = CniConfigs(options.cni_conf_dir, self._plugins)
        self._chain = Chain(self._plugins)
        self._cache = ResultCache(options.cni_cache_dir)
        self._timeout_s = options.timeout_s
        self._table: RecordTable[CniRecord] = RecordTable(database, "network_cni", CniRecord)
        self._records = {SandboxId(key): record for key, record in self._table.load().items()}
        self._memory = AddressMemory(database)
        self._check: asyncio.Task[None] | None = None
        self._checked = SandboxId("")
        self._detaching: set[SandboxId] = set()
        self._settled: Settled | None = None

    def look(self) -> CniChoice:
        """The current content of the configuration directory."""
        return self._catalog.look()

    def holds(self, sandbox_id: SandboxId) -> bool:
        """Whether the sandbox has an attachment, complete or not."""
        return sandbox_id in self._records

    async def status(self) -> str:
        """What the plugins report about taking pods now. "" if nothing is wrong, or if they do not support STATUS."""
        if self.look().network is None:
            return ""
        try:
            network = await self._network()
        except PodwrightError as failure:
            return str(failure)
        return await self._chain.status(network, STATUS_TIMEOUT_S)

    async def attach(self, request: NetworkRequest) -> Attachment:
        """Run ADD, with the pod's former addresses if a plugin supports that.

        Raises PodwrightError, after which the caller must call `detach`.
        """
        if self.holds(request.sandbox_id):
            await self.detach(request.sandbox_id)
        network = await self._network()
        given = capability_arguments(request)
        if wanted := self._memory.recall(request.name, network):
            try:
                return await self._add(request, network, {**given, CAPABILITY: list(wanted)})
            except (FailedPrecondition, Internal) as failure:
                log.warning(
                    "CNI plugin refuses former addresses: addresses=%s sandbox=%s error=%s",
                    wanted,
                    request.sandbox_id,
                    failure,
                )
                await self.detach(request.sandbox_id)
        return await self._add(request, network, given)

    async def _add(self, request: NetworkRequest, network: NetworkList, capability_args: dict[str, Any]) -> Attachment:
        deadline = self._deadline()
        record = CniRecord(
            network=network.name,
            config=network.text(),
            netns=request.netns,
            args=cni_args(request),
            capability_args=capability_args,
        )
        await self._bring_up_loopback(request.netns)
        self._put(request.sandbox_id, record)
        target = _target(request.sandbox_id, record)
        result = await self._chain.add(network, target, deadline)
        self._cache.save(network, target, result)
        addresses = _addresses(network, result)
        self._put(request.sandbox_id, msgspec.structs.replace(record, added=True))
        self._memory.remember(request.name, network, addresses)
        ips = tuple(dict.fromkeys(address.partition("/")[0] for address in addresses))
        return Attachment(backend=BACKEND, ips=ips, interface=INTERFACE, detail={"network": network.name})

    async def detach(self, sandbox_id: SandboxId) -> None:
        """Run DEL, also for an incomplete attachment or without the namespace. Without an attachment it succeeds.

        Raises PodwrightError if a plugin fails for a complete attachment. Then the call may be repeated.
        """
        self._detaching.add(sandbox_id)
        try:
            await self._end_check(sandbox_id)
            await self._detach(sandbox_id)
        finally:
            self._detaching.discard(sandbox_id)

    async def _detach(self, sandbox_id: SandboxId) -> None:
        record = self._records.get(sandbox_id)
        if record is None:
            return
        target = _target(sandbox_id, record)
        cached = self._cache.load(record.network, sandbox_id, INTERFACE)
        try:
            await self._delete(parse(record.config), target, cached)
        except PodwrightError as failure:
            if record.added:
                raise
            log.warning("CNI DEL failed after a failed ADD: sandbox=%s error=%s", sandbox_id, failure)
        self._cache.remove(record.network, sandbox_id, INTERFACE)
        del self._records[sandbox_id]
        self._table.delete(sandbox_id)

    async def detach_cached(self, sandbox_id: SandboxId, network: str) -> None:
        """Run DEL from libcni's cache, for an attachment whose record was lost. Without an entry it succeeds."""
        cached = self._cache.load(network, sandbox_id, INTERFACE)
        if cached is not None:
            await self._delete(parse(cached.config), cached.target, cached)
            self._cache.remove(network, sandbox_id, INTERFACE)

    async def check_all(self) -> None:
        """Run CHECK for every attachment, one after the other, and log failures."""
        for sandbox_id, record in list(self._records.items()):
            gone = (
                sandbox_id in self._detaching or not self.holds(sandbox_id) or not namespaces.is_pinned(record.netns)
            )
            if gone or not record.added:
                continue
            self._checked = sandbox_id
            self._check = asyncio.create_task(self.check(sandbox_id), name=f"CNI CHECK {sandbox_id[:12]}")
            try:
                await asyncio.wait([self._check])
            finally:
                self._check.cancel()
            if not self._check.cancelled() and (failure := self._check.exception()) is not None:
                log.warning("CNI CHECK failed: sandbox=%s error=%s", sandbox_id, failure)

    async def _end_check(self, sandbox_id: SandboxId) -> None:
        """Wait for the sandbox's CHECK, because the spec forbids concurrent operations on one attachment."""
        if self._check is not None and self._checked == sandbox_id:
            self._check.cancel()
            await asyncio.wait([self._check])

    async def check(self, sandbox_id: SandboxId) -> None:
        """Run CHECK for an attachment. Raises PodwrightError if it fails."""
        record = self._records.get(sandbox_id)
        cached = self._cache.load(record.network, sandbox_id, INTERFACE) if record is not None else None
        if record is None or cached is None:
            raise FailedPrecondition(f"sandbox {sandbox_id} has no CNI attachment")
        target = _target(sandbox_id, record)
        await self._chain.check(parse(record.config), target, cached.result, self._deadline())

    async def recover(self, known: Collection[SandboxId]) -> None:
        """Undo what belongs to no sandbox in `known`, then run GC."""
        await asyncio.gather(*(self._drop(sandbox_id) for sandbox_id in self._records if sandbox_id not in known))
        network = self.look().network
        if network is not None:
            await self._chain.collect(network, self._valid_attachments(network.name), GC_TIMEOUT_S)

    async def _drop(self, sandbox_id: SandboxId) -> None:
        try:
            await self.detach(sandbox_id)
        except PodwrightError as failure:
            log.warning("cannot remove leftover CNI attachment: sandbox=%s error=%s", sandbox_id, failure)

    def _valid_attachments(self, network: str) -> list[dict[str, str]]:
        """Our attachments, and those of other runtimes in the common cache, which GC must keep."""
        pairs = {(str(key), INTERFACE) for key, record in self._records.items() if record.network == network}
        pairs |= {(entry.target.container_id, entry.target.interface) for entry in self._cache.of_network(network)}
        return [{"containerID": container_id, "ifname": interface} for container_id, interface in sorted(pairs)]

    async def _network(self) -> NetworkList:
        """The network to use, in a version that its plugins support. Cached until the network or a plugin changes."""
        found = self.look()
        if found.network is None:
            raise FailedPrecondition(f"no usable CNI network: {found.trouble}", hint="see podwright doctor")
        files = self._plugins.files(found.network)
        settled = self._settled
        if settled is None or settled.found is not found.network or settled.files != files:
            version = await self._chain.settle_version(found.network)
            network = replace(found.network, versions=(version,))
            settled = self._settled = Settled(found=found.network, files=files, network=network)
        return settled.network

    async def _delete(self, network: NetworkList, target: CniTarget, cached: CachedAttachment | None) -> None:
        netns = target.netns if namespaces.is_pinned(target.netns) else ""
        previous = cached.result if cached is not None else None
        await self._chain.delete(network, replace(target, netns=netns), previous, self._deadline())

    async def _bring_up_loopback(self, netns: str) -> None:
        try:
            await in_fresh_thread(lambda: links.bring_up_loopback(netns))
        except OSError as failure:
            raise links.explain(failure, "bring up loopback in the pod") from failure

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._timeout_s

    def _put(self, sandbox_id: SandboxId, record: CniRecord) -> None:
        self._table.put(sandbox_id, record)
        self._records[sandbox_id] = record


def _target(sandbox_id: SandboxId, record: CniRecord) -> CniTarget:
    return CniTarget(
        container_id=sandbox_id,
        netns=record.netns,
        interface=INTERFACE,
        args=record.args,
        capability_args=record.capability_args,
    )


def _addresses(network: NetworkList, result: dict[str, Any]) -> tuple[str, ...]:
    try:
        addresses = results.pod_addresses(result, INTERFACE)
    except ValueError as failure:
        raise Internal(f"CNI network {network.name}: its result violates the spec: {failure}") from failure
    if not addresses:
        raise Internal(f"CNI network {network.name}: its plugins assigned no address to {INTERFACE}")
    return addresses
