"""The API as configurations want it: switched off in parts, closed, with a certificate that the node makes itself."""

from __future__ import annotations

import ssl
from typing import Any

import aiohttp
import pytest

from tests.agent.server.node import ApiNode, api_node
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch
from tools.ports import free_port

pytestmark = pytest.mark.root


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def test_without_debugging_handlers(scratch: Scratch, podwright_server: Podwright) -> None:
    config = {"enableDebuggingHandlers": False, "authentication": {"anonymous": {"enabled": True}}}
    with api_node(scratch.part("api"), podwright_server.endpoint, config) as node:
        for path in ("/run/a/b/c", "/exec/a/b/c", "/containerLogs/a/b/c", "/runningpods/", "/logs/", "/debug/pprof/"):
            answer = await node.ask(path, tls=node.nobody)
            assert (answer.status, answer.text) == (405, "Debug endpoints are disabled.\n")
        assert (await node.ask("/configz")).status == 404
        assert (await node.ask("/pods", tls=node.nobody)).status == 200
        assert (await node.ask("/stats/summary", tls=node.nobody)).status == 200


async def test_parts_that_are_off(scratch: Scratch, podwright_server: Podwright) -> None:
    config: dict[str, Any] = {
        "enableSystemLogHandler": False,
        "enableProfilingHandler": False,
        "enableDebugFlagsHandler": False,
        "featureGates": {"ComponentStatusz": False, "ContainerCheckpoint": False},
    }
    with api_node(scratch.part("api"), podwright_server.endpoint, config) as node:
        texts = {
            "/logs/x": "logs endpoint is disabled.\n",
            "/debug/pprof/heap": "profiling endpoint is disabled.\n",
            "/debug/flags/v": "flags endpoint is disabled.\n",
        }
        for path, message in texts.items():
            answer = await node.ask(path)
            assert (answer.status, answer.text) == (405, message)
        assert (await node.ask("/statusz")).status == 404
        assert (await node.ask("/flagz")).status == 200
        assert (await node.ask("/checkpoint/a/b/c", method="POST")).status == 404


async def test_webhooks_without_an_api_server_let_nobody_in(scratch: Scratch, podwright_server: Podwright) -> None:
    with api_node(scratch.part("api"), podwright_server.endpoint, {"authorization": {"mode": "Webhook"}}) as node:
        answer = await node.ask("/pods")
        message = "Forbidden (user=admin, verb=get, resource=nodes, subresource(s)=[pods proxy])\n"
        assert (answer.status, answer.text) == (403, message)
        assert (await node.ask("/pods", tls=node.nobody)).status == 401
        assert "has no API server to ask" in node.agent.log.read_text()


async def test_a_node_that_is_given_no_certificate_makes_one(scratch: Scratch, podwright_server: Podwright) -> None:
    config = {"tlsCertFile": "", "tlsPrivateKeyFile": "", "authentication": {"anonymous": {"enabled": True}}}
    with api_node(scratch.part("api"), podwright_server.endpoint, config) as node:
        assert (await node.ask("/healthz", tls=unverified())).text == "ok"
        assert (node.agent.part.directory / "pki" / "kubelet.crt").exists()
        first = certificate(node)
        node.agent.kill9()
        node.agent.start()
        assert certificate(node) == first
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await node.ask("/healthz", tls=node.nobody)


def certificate(node: ApiNode) -> str:
    return ssl.get_server_certificate(("127.0.0.1", node.port))


async def test_the_reader_shares_the_handlers(scratch: Scratch, podwright_server: Podwright) -> None:
    port = free_port()
    with (
        api_node(scratch.part("api"), podwright_server.endpoint, {"readOnlyPort": port}),
    ):
        async with aiohttp.ClientSession() as session:
            for path, status in (
                ("/healthz", 200),
                ("/pods", 200),
                ("/stats/summary", 200),
                ("/metrics", 200),
                ("/metrics/cadvisor", 200),
                ("/metrics/resource", 200),
                ("/configz", 404),
                ("/logs/", 405),
                ("/exec/a/b/c", 405),
            ):
                async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                    assert answer.status == status, path
