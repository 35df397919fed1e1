"""A real agent with the API on loopback, on a real runtime, and its clients."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

from tests.harness.agent import AgentProcess
from tests.harness.authority import Authority
from tests.harness.scratch import Part
from tools.ports import free_port

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default}}
spec:
  terminationGracePeriodSeconds: 1
{spec}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """As text."""
        return self.body.decode()

    @property
    def json(self) -> Any:
        """As JSON."""
        return json.loads(self.body)


class ApiNode:
    """The agent, and who asks it."""

    def __init__(self, agent: AgentProcess, authority: Authority, port: int) -> None:
        self.agent = agent
        self.authority = authority
        self.port = port
        self.admin = authority.client(authority.issue("admin", ["system:masters"]))
        self.nobody = authority.client()

    def url(self, path: str, query: Any = ()) -> str:
        """Of a path with parameters (a mapping, or pairs)."""
        return f"https://127.0.0.1:{self.port}{path}" + (f"?{urlencode(query)}" if query else "")

    async def ask(
        self,
        path: str,
        query: Any = (),
        *,
        method: str = "GET",
        tls: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Reply:
        """One request on a connection of its own, by the administrator unless `tls` is another's."""
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls or self.admin)) as session,
            session.request(
                method, self.url(path, query), headers=headers, data=data, allow_redirects=False
            ) as answer,
        ):
            return Reply(status=answer.status, headers=dict(answer.headers), body=await answer.read())

    def run(self, name: str, spec: str) -> str:
        """A static pod that is ready; its name at the node."""
        self.agent.write(f"{name}.yaml", POD.format(name=name, spec=spec))
        full = f"{name}-{socket.gethostname().lower()}"
        self.agent.until(lambda: _is_ready(self.agent, full), f"pod {full} is ready")
        return full


def _is_ready(agent: AgentProcess, name: str) -> bool:
    conditions = agent.pods().get(name, {}).get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@contextmanager
def api_node(
    part: Part, endpoint: str, config: Mapping[str, Any] | None = None, *, flags: Sequence[str] = ()
) -> Iterator[ApiNode]:
    """An agent whose API knows certificates of an authority of its own, and allows everything to their owners."""
    authority = Authority(part.directory)
    served = authority.issue("node", usage="server")
    port = free_port()
    settings = {
        "enableServer": True,
        "address": "127.0.0.1",
        "port": port,
        "tlsCertFile": served.certificate,
        "tlsPrivateKeyFile": served.key,
        "authentication": {"x509": {"clientCAFile": authority.path}},
        "authorization": {"mode": "AlwaysAllow"},
        **(config or {}),
    }
    with AgentProcess(part, endpoint, settings, flags=flags) as agent:
        yield ApiNode(agent, authority, port)
