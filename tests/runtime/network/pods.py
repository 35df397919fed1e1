"""Network namespaces that stand for pods (and for machines outside), with servers and clients in them.

A socket belongs to the namespace of the thread that made it, so the tests' own event loop serves and dials.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from podwright.conformance.patience import patient
from podwright.linux import namespaces
from podwright.process import PosixProcessRunner
from podwright.runtime.config import NetworkSettings
from podwright.runtime.model.ids import SandboxId, new_id
from podwright.runtime.model.sandbox import Attachment, DnsConfig, PortMapping, SandboxName
from podwright.runtime.network import NetworkRequest, NetworkService
from podwright.runtime.state import Database
from tests.harness.scratch import Part

TIMEOUT_S = patient(60.0)


@dataclass(slots=True, kw_only=True)
class Pod:
    """A pinned network namespace; `netns` "" is the host."""

    netns: str
    sandbox_id: SandboxId = field(default_factory=lambda: SandboxId(new_id()))
    name: str = "pod"
    attachment: Attachment | None = None

    @property
    def ip(self) -> str:
        assert self.attachment is not None
        return self.attachment.ips[0]

    def request(self, *ports: PortMapping, annotations: dict[str, str] | None = None) -> NetworkRequest:
        """What the sandbox room would ask for."""
        return NetworkRequest(
            sandbox_id=self.sandbox_id,
            name=SandboxName(name=self.name, namespace="tests", uid=f"uid-{self.name}"),
            netns=self.netns,
            port_mappings=ports,
            dns=DnsConfig(servers=("192.0.2.53",), searches=("example.test",)),
            annotations=annotations or {},
            cgroup_parent="/tests",
        )

    def socket(self, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket in the pod."""

        def make() -> socket.socket:
            return socket.socket(socket.AF_INET, kind)

        made = make() if not self.netns else namespaces.run_in(self.netns, "net", make)
        made.setblocking(False)
        return made

    def run(self, *argv: str) -> str:
        """A program in the pod's namespace; its output."""
        done = subprocess.run(["nsenter", f"--net={self.netns}", *argv], check=True, capture_output=True, text=True)
        return done.stdout

    def ip_json(self, *arguments: str) -> list[dict[str, Any]]:
        """`ip -j ...` in the pod."""
        found: list[dict[str, Any]] = json.loads(self.run("ip", "-j", *arguments))
        return found


OUTSIDE_ADDRESS = "198.51.100.2"
HOST = Pod(netns="", name="host")


class World:
    """A network service on a private bridge, its pods, and what is needed to clean up after a failed test."""

    def __init__(self, part: Part, **settings: Any) -> None:
        self.part = part
        self.settings = settings
        self.pods: list[Pod] = []
        self.database: Database
        self.service: NetworkService
        self.conf_dir = part.directory / "net.d"
        self.conf_dir.mkdir()

    def options(self, **over: Any) -> NetworkSettings:
        """The [network] section."""
        given = {
            "bridge": self.part.bridge,
            "subnet": str(self.part.subnet),
            "cni_conf_dir": str(self.conf_dir),
            "cni_cache_dir": str(self.part.directory / "cni"),
            **self.settings,
            **over,
        }
        return NetworkSettings(**given)

    async def open(self, root: str = "root") -> NetworkService:
        """(Re)open the database and start a service on it, without reconciling."""
        self.database = Database(str(self.part.directory / root))
        self.service = NetworkService(self.options(), self.database, PosixProcessRunner())
        await self.service.start()
        return self.service

    async def close(self) -> None:
        """As the daemon does when it stops."""
        await self.service.close()
        self.database.close()

    async def restart(self, known: set[SandboxId]) -> None:
        """Stop and start on the same records."""
        await self.close()
        await self.open()
        await self.service.recover(known)

    def pod(self, name: str = "pod") -> Pod:
        """A namespace, not attached."""
        made = Pod(netns=str(self.part.directory / f"netns-{len(self.pods)}"), name=name)
        namespaces.create_pinned({"net": made.netns}, lambda: None)
        self.pods.append(made)
        return made

    async def attached(self, *ports: PortMapping, name: str = "pod") -> Pod:
        """A pod on the network."""
        made = self.pod(name)
        made.attachment = await self.service.attach(made.request(*ports))
        return made

    async def detach(self, pod: Pod) -> None:
        """Take a pod off the network."""
        await self.service.detach(pod.request(), pod.attachment)

    async def gone(self) -> None:
        """Detach and unpin every pod, then stop."""
        for pod in self.pods:
            await self.detach(pod)
            namespaces.unpin(pod.netns)
        await self.close()


def on_host(*argv: str, check: bool = True) -> str:
    """A program on the host; its output."""
    return subprocess.run(argv, check=check, capture_output=True, text=True).stdout


def bridge_ports(bridge: str) -> set[str]:
    """The links plugged into a bridge; empty when there is no bridge."""
    folder = Path(f"/sys/class/net/{bridge}/brif")
    return {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()


def has_link(name: str) -> bool:
    """Whether the host has a link."""
    return name in {entry for _, entry in socket.if_nameindex()}


def rules(bridge: str) -> str:
    """Our nft table and our iptables chains; empty when there are none."""
    table = on_host("nft", "list", "table", "ip", bridge, check=False)
    chains = on_host("iptables-save", check=False)
    return table + "\n".join(line for line in chains.splitlines() if f"PW-{bridge}-" in line)


@contextlib.asynccontextmanager
async def serving(pod: Pod, port: int, text: str, address: str = "0.0.0.0") -> AsyncIterator[None]:
    """A TCP server in the pod that says "<text> <client's address>"."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{text} {writer.get_extra_info('peername')[0]}".encode())
        writer.close()
        await writer.wait_closed()

    listener = pod.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    server = await asyncio.start_server(answer, sock=listener)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


async def dial(pod: Pod, address: str, port: int, timeout_s: float = TIMEOUT_S) -> str:
    """What a TCP server says to the pod. Raises OSError, TimeoutError included."""
    client = pod.socket()
    loop = asyncio.get_running_loop()
    said = b""
    with client:
        async with asyncio.timeout(timeout_s):
            await loop.sock_connect(client, (address, port))
            while chunk := await loop.sock_recv(client, 4096):
                said += chunk
    return said.decode()


class UdpEcho(asyncio.DatagramProtocol):
    """Answers every datagram with a fixed text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        assert self.transport is not None
        self.transport.sendto(self.text.encode(), addr)


@contextlib.asynccontextmanager
async def serving_udp(pod: Pod, port: int, text: str) -> AsyncIterator[None]:
    """A UDP server in the pod that answers with `text`."""
    bound = pod.socket(socket.SOCK_DGRAM)
    bound.bind(("0.0.0.0", port))
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: UdpEcho(text), sock=bound)
    try:
        yield
    finally:
        transport.close()
        await asyncio.sleep(0)


async def ask_udp(client: socket.socket, address: str, port: int, timeout_s: float = TIMEOUT_S) -> str:
    """Send a datagram, again every 50 ms, until something answers."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        while True:
            await loop.sock_sendto(client, b"?", (address, port))
            with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                return (await asyncio.wait_for(loop.sock_recv(client, 4096), 0.05)).decode()


def host_address() -> str:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("198.51.100.1", 9))  # sends nothing: it only asks the routing table
        address: str = probe.getsockname()[0]
        return address
