"""The server as tests start it: on loopback, with TLS, in the process of the test."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from podwright.k8s.codec import from_document, to_document
from podwright.k8s.objects.base import Kind
from tests.harness.apiserver.api import Api, Target
from tests.harness.apiserver.faults import Faults
from tests.harness.apiserver.http.handler import Handler
from tests.harness.apiserver.people import ADMINS, Authority, Tokens, User
from tests.harness.apiserver.resources import all_resources
from tests.harness.apiserver.store import Store
from tests.harness.apiserver.subresources import Subresources

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
BODY_LIMIT_BYTES = 64 * 1024 * 1024
ADMIN = User(name="admin", groups=(ADMINS,))


class ApiServer:
    """Settings and parts are public, and may be changed while it runs.

    `store` holds the objects, `faults` what goes wrong, `subresources` the policy and what becomes of certificate
    requests, `tokens` and `authority` who is known, `handler` what it does and has seen.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.port = port
        self.store = Store()
        self.authority = Authority()
        self.tokens = Tokens()
        self.faults = Faults()
        self.subresources = Subresources(authority=self.authority, tokens=self.tokens, now=self.now)
        self.api = Api(self.store, self.subresources, self.now)
        self.handler = Handler(api=self.api, tokens=self.tokens, faults=self.faults)
        self.admin_token = self.tokens.issue(ADMIN)
        self._runner: web.AppRunner | None = None
        self.fill()

    def now(self) -> datetime:
        """The server's clock."""
        return datetime.now(UTC)

    @property
    def url(self) -> str:
        """Its URL."""
        return f"https://{self.host}:{self.port}"

    def fill(self) -> None:
        """Create what every cluster has: the namespaces and the default service account."""
        for name in NAMESPACES:
            self.put_document({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": "default"},
        }
        self.put_document(account)

    def put(self, obj: Kind) -> Any:
        """Create an object, or replace it whole with its status, behind the API's back; the object as stored."""
        return from_document(self.put_document(to_document(obj)), type(obj))

    def put_document(self, document: dict[str, Any]) -> dict[str, Any]:
        """As `put`."""
        target = self._target(document["apiVersion"], document["kind"], document["metadata"])
        before = self.store.get(target.key)
        if before is None:
            made = self.api.create(Target(resource=target.resource, namespace=target.namespace), document, ADMIN)
            return self.store.put(target.key, {**made, "status": document["status"]}) if "status" in document else made
        data = {
            **before["metadata"],
            **{key: each for key, each in document["metadata"].items() if key != "resourceVersion"},
        }
        return self.store.put(target.key, {**before, **document, "metadata": data})

    def get(self, kind: type[Kind], name: str, namespace: str = "") -> Any:
        """The object, or None."""
        target = self._target(kind.API_VERSION, kind.__name__, {"name": name, "namespace": namespace})
        found = self.store.get(target.key)
        return None if found is None else from_document(found, kind)

    def remove(self, kind: type[Kind], name: str, namespace: str = "") -> None:
        """Remove it at once, whatever its grace or finalizers."""
        self.store.remove(self._target(kind.API_VERSION, kind.__name__, {"name": name, "namespace": namespace}).key)

    def _target(self, version: str, kind: str, metadata: dict[str, Any]) -> Target:
        resource = next(each for each in all_resources().values() if (each.version, each.kind) == (version, kind))
        namespace = metadata.get("namespace", "") if resource.namespaced else ""
        return Target(resource=resource, namespace=namespace, name=metadata["name"])

    async def start(self) -> None:
        """Listen; after a `stop` on the same port, with the same objects."""
        application = web.Application(client_max_size=BODY_LIMIT_BYTES)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, ssl_context=self._tls(), reuse_address=True)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Go away: all connections break."""
        if self._runner is not None:
            for site in self._runner.sites:
                await site.stop()
            for connection in self._connections():
                if connection.transport is not None:
                    connection.transport.abort()
            await self._runner.cleanup()
            self._runner = None

    def _connections(self) -> list[web.RequestHandler]:
        return list(self._runner.server.connections if self._runner and self._runner.server else ())

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        """Answer, unless the connection began while the server went away: nobody would close it then."""
        if request.protocol not in self._connections():
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError
        return await self.handler.handle(request)

    def _tls(self) -> ssl.SSLContext:
        issued = self.authority.issue(User(name="kube-apiserver"), hosts=[self.host, "localhost", "kubernetes"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(issued.certificate + issued.key)
            file.flush()
            context.load_cert_chain(file.name)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.authority.certificate.decode())
        return context

    def kubeconfig(self, directory: str, *, user: dict[str, str] | None = None) -> str:
        """Write one, by default for the admin, and return its path."""
        authority = os.path.join(directory, "ca.crt")
        with open(authority, "wb") as file:
            file.write(self.authority.certificate)
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": authority}}],
            "users": [{"name": "test", "user": user or {"token": self.admin_token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        path = os.path.join(directory, "kubeconfig")
        with open(path, "wb") as file:
            file.write(msgspec.json.encode(document))
        return path


@contextlib.asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[ApiServer]:
    """A server for one test."""
    server = ApiServer(**settings)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
        await asyncio.sleep(0)
