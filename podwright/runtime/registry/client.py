"""Pulls from one repository: resolves tags and fetches manifests and blobs, trying the next server after a failure.

One object per pull. The digest of every manifest is checked here. Those who store blobs check them, and call
`distrust` for a wrong one.
"""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec

from podwright.errors import FailedPrecondition, NotFound, PodwrightError
from podwright.runtime.config import RegistrySettings
from podwright.runtime.model.image import DIGEST, RegistryAuth
from podwright.runtime.registry import challenge, hosts, manifest, patience, ranges, transport
from podwright.runtime.registry.challenge import ServerCredentials
from podwright.runtime.registry.download import BlobSink, Download
from podwright.runtime.registry.failure import HostFailure, Rank, summary
from podwright.runtime.registry.hosts import RegistryHost
from podwright.runtime.registry.logins import DaemonLogins
from podwright.runtime.registry.manifest import Descriptor
from podwright.runtime.registry.patience import Patience
from podwright.runtime.registry.reference import ImageReference
from podwright.runtime.registry.server import RegistryServer
from podwright.runtime.registry.transport import RegistryTransport

if TYPE_CHECKING:
    import aiohttp

log = logging.getLogger(__name__)

DOCUMENT_LIMIT_BYTES = 8 << 20  # for a manifest, index or config
NO_HEAD = (405, 501)
NOT_SPOKEN = (400, 405, 501)  # status codes of registries that lack an API, besides 404
DIGEST_HEADER = "Docker-Content-Digest"
Answer = TypeVar("Answer")


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """What a name refers to. `data` is set if the server had to send the whole document."""

    digest: str
    media_type: str = ""
    data: bytes | None = None


class Client:
    """A repository on its servers. Use as an async context manager."""

    def __init__(
        self,
        reference: ImageReference,
        auth: RegistryAuth | None,
        settings: RegistrySettings,
        logins: DaemonLogins | None = None,
    ) -> None:
        """Reads the hosts configuration. Raises InvalidArgument for credentials, FailedPrecondition for hosts.toml.

        `logins` are used if `auth` is empty.
        """
        self._reference = reference
        self._transport = RegistryTransport(
            connect_timeout_s=settings.connect_timeout_s, stall_timeout_s=settings.stall_timeout_s
        )
        self._givers: dict[str, set[str]] = {}  # per blob, the keys of the servers that sent parts of it
        self._distrusted: dict[str, set[str]] = {}
        self._undivided: set[str] = set()  # servers that failed on requests for segments
        self._connections = ranges.Connections(settings.concurrent_downloads)
        self._impatient = patience.with_others(settings)
        self._servers = [
            RegistryServer(
                self._transport,
                host,
                _credentials(auth, host, reference),
                reference,
                None if logins is None or auth else functools.partial(logins.find, *_place(host, reference)),
            )
            for host in hosts.load(settings.config_path, reference.host)
        ]

    async def __aenter__(self) -> Client:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.__aexit__()

    async def resolve(self) -> Resolved:
        """What the reference refers to now. Raises NotFound, PermissionDenied, Unknown (RegistryUnavailable) ..."""
        return await self._from_any(str(self._reference), "resolve", self._resolve_on)

    async def _from_any(
        self, what: str, capability: str, ask: Callable[[RegistryServer, Patience], Awaitable[Answer]]
    ) -> Answer:
        """The answer of the first server that has one."""
        failures: list[HostFailure] = []
        for server, patient in self._in_turn(capability):
            try:
                return await ask(server, patient)
            except HostFailure as failure:
                failures.append(failure)
                log.info("registry failed: host=%s error=%s", server.name, failure.message)
        raise self._summary(what, failures)

    async def _resolve_on(self, server: RegistryServer, patient: Patience) -> Resolved:
        path, accept = f"manifests/{self._reference.target}", {"Accept": manifest.ACCEPT}
        try:
            async with server.request("HEAD", path, accept, patient) as response:
                digest = response.headers.get(DIGEST_HEADER, "")
                if DIGEST.fullmatch(digest):
                    return Resolved(digest=digest, media_type=response.headers.get("Content-Type", ""))
        except HostFailure as failure:
            if failure.status not in NO_HEAD:
                raise
        async with server.request("GET", path, accept, patient) as response:
            data = await self._transport.content(server.host, response, DOCUMENT_LIMIT_BYTES)
            _check_json(server, response, data)
            return Resolved(digest=_digest_of(data), media_type=response.headers.get("Content-Type", ""), data=data)

    async def manifest(self, digest: str) -> tuple[bytes, str]:
        """(content, media type) of a manifest or index by digest. Raises as `resolve` does."""
        return await self._document(f"manifests/{digest}", digest, {"Accept": manifest.ACCEPT})

    async def config(self, descriptor: Descriptor) -> bytes:
        """A small blob. Raises as `resolve` does."""
        return (await self._document(f"blobs/{descriptor.digest}", descriptor.digest, {}))[0]

    async def _document(self, path: str, digest: str, headers: Mapping[str, str]) -> tuple[bytes, str]:
        async def ask(server: RegistryServer, patient: Patience) -> tuple[bytes, str]:
            async with server.request("GET", path, headers, patient) as response:
                data = await self._transport.body(server.host, response, DOCUMENT_LIMIT_BYTES)
                if (
                    _digest_of(data) != digest
                ):  # a gzip blob may have Content-Encoding: gzip, so try it undecoded first
                    data = transport.decoded(server.host, response, data, DOCUMENT_LIMIT_BYTES)
                if _digest_of(data) != digest:
                    _check_json(server, response, data)
                    raise HostFailure(Rank.GARBAGE, f"{server.name} sends other content than {digest}")
                return data, response.headers.get("Content-Type", "")

        return await self._from_any(f"{self._reference.name}@{digest}", "pull", ask)

    async def tagged(self, tag: str) -> bytes | None:
        """The manifest or index under another tag of the repository, or None. Raises as `resolve`."""
        return await self._optional(f"manifests/{tag}", f"{self._reference.name}:{tag}", "resolve")

    async def referrers(self, digest: str) -> bytes | None:
        """The index of the manifests whose subject is `digest`, as far as it fits into one answer.

        It comes from the referrers API, or from the fallback tag if the registry has no such API (distribution-spec,
        "Listing Referrers"). None if there is neither. Raises as `resolve`.
        """
        found = await self._optional(f"referrers/{digest}", f"the referrers of {digest}", "referrers")
        return found if found is not None else await self.tagged(digest.replace(":", "-"))

    async def _optional(self, path: str, what: str, capability: str) -> bytes | None:
        async def ask(server: RegistryServer, patient: Patience) -> bytes:
            try:
                async with server.request("GET", path, {"Accept": manifest.ACCEPT}, patient) as response:
                    return await self._transport.content(server.host, response, DOCUMENT_LIMIT_BYTES)
            except HostFailure as failure:
                if failure.status in NOT_SPOKEN:
                    raise HostFailure(Rank.MISSING, failure.message, status=failure.status) from failure
                raise

        try:
            return await self._from_any(what, capability, ask)
        except NotFound:
            return None

    async def blob(self, descriptor: Descriptor, sink: BlobSink) -> None:
        """Fetch a blob into `sink`, and remember its servers for `distrust`.

        When a server fails or is slow, the next one continues at the same place. It gives up after a round of all
        servers without progress. Raises as `resolve` does, and what the sink raises.
        """
        failures: list[HostFailure] = []
        failed: set[str] = set()
        while True:
            before = sink.written_bytes
            for server, patient in self._in_turn("pull", descriptor.digest, failed):
                try:
                    await self._bring(server, patient, descriptor, sink)
                except HostFailure as failure:
                    failures.append(failure)
                    failed.add(server.key)
                    log.info("registry failed: host=%s error=%s", server.name, failure.message)
                else:
                    return
            if sink.written_bytes == before:
                raise self._summary(f"{self._reference.name}@{descriptor.digest}", failures)

    async def _bring(self, server: RegistryServer, patient: Patience, descriptor: Descriptor, sink: BlobSink) -> None:
        download = Download(
            transport=self._transport,
            server=server,
            patience=patient,
            connections=self._connections,
            descriptor=descriptor,
            sink=sink,
            undivided=self._undivided,
        )
        before, gave = sink.written_bytes, True  # also without progress: the sink may reject the first bytes
        try:
            await download.bring()
        except HostFailure:
            gave = sink.written_bytes > before
            raise
        finally:
            if gave:
                self._givers.setdefault(descriptor.digest, set()).add(server.key)

    def distrust(self, digest: str) -> bool:
        """Stop using the servers that sent this blob. Returns whether any server is left.

        If several servers sent parts, the last one is asked again, because it may have continued the wrong data of
        another.
        """
        givers = self._givers.pop(digest, set())
        guilty = [one.key for one in self._serving("pull", digest) if one.key in givers]
        self._distrusted.setdefault(digest, set()).update(guilty[:-1] or guilty)
        return any(self._serving("pull", digest))

    def destination(self) -> RegistryServer:
        """The server to push to. Raises FailedPrecondition if the configuration allows none."""
        servers = self._serving("push")
        if not servers:
            raise FailedPrecondition(
                f"no server for {self._reference.host} accepts pushes", hint='capabilities in hosts.toml lack "push"'
            )
        return next((server for server in servers if server.host.origin), servers[0])

    def _serving(self, capability: str, digest: str = "") -> list[RegistryServer]:
        refused = self._distrusted.get(digest, set())
        return [one for one in self._servers if capability in one.host.capabilities and one.key not in refused]

    def _in_turn(
        self, capability: str, digest: str = "", failed: Collection[str] = ()
    ) -> Iterator[tuple[RegistryServer, Patience]]:
        """The servers to ask in order, each with its patience.

        It is shorter while servers that have not `failed` follow.
        """
        serving = self._serving(capability, digest)
        for index, server in enumerate(serving):
            others = any(other.key not in failed for other in serving[index + 1 :])
            yield server, self._impatient if others else patience.LAST

    def _summary(self, what: str, failures: list[HostFailure]) -> PodwrightError:
        if not failures:
            failures = [HostFailure(Rank.UNREACHABLE, f"no server configured for {self._reference.host} may be asked")]
        return summary(what, failures)


def _credentials(auth: RegistryAuth | None, host: RegistryHost, reference: ImageReference) -> ServerCredentials:
    """The credentials for a host. Mirrors only get credentials that name them.

    Those without a server are the registry's.
    """
    if host.origin:
        return challenge.credentials_for(auth, reference.host)
    return challenge.credentials_for(auth, host.name) if auth and auth.server_address else ServerCredentials()


def _place(host: RegistryHost, reference: ImageReference) -> tuple[str, str]:
    """The key for a login. Mirrors have their own."""
    return (reference.host if host.origin else host.name), reference.repository


def _digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _check_json(server: RegistryServer, response: aiohttp.ClientResponse, data: bytes) -> None:
    """Raises HostFailure unless the answer is JSON. Login pages and proxies answer 200 with HTML."""
    if not data.lstrip().startswith(b"{"):
        kind = response.headers.get("Content-Type", "something").partition(";")[0]
        raise HostFailure(Rank.GARBAGE, f"{server.name} answers with {kind} where an image manifest should be")
