"""The four kinds of probes against real servers on loopback, and against the fake runtime."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from aiohttp import web

from podwright.agent.configs.expansion import expand
from podwright.agent.metrics.probes import ProbeMetrics
from podwright.agent.metrics.prometheus import exposition
from podwright.agent.probes.attempt import OUTPUT_LIMIT_BYTES, Attempt, AttemptResult, Target
from podwright.agent.probes.http_client import HookGetter
from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.agent.probes.prober import Prober
from podwright.agent.probes.probers import Probers
from podwright.agent.runtime.records import ExecResult
from podwright.agent.workers.ports import HttpGetter
from podwright.conformance.patience import patient
from podwright.errors import DeadlineExceeded, InvalidArgument, Unavailable, Unimplemented
from podwright.k8s.objects import (
    ContainerPort,
    EnvVar,
    ExecAction,
    GRPCAction,
    HTTPGetAction,
    HTTPHeader,
    Probe,
    TCPSocketAction,
)
from podwright.process import Command, PosixProcessRunner
from tests.agent.fakes.configs import container_config, sandbox_config
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.runtime import FakeRuntime
from tests.agent.fakes.time import VirtualClock
from tools.ports import free_port

GOOD, BAD, WARNING = AttemptResult.SUCCESS, AttemptResult.FAILURE, AttemptResult.WARNING
OPENSSL = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=nobody"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Scene:
    """Probers, and a server that answers as a test says."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.runtime = FakeRuntime(self.clock)
        self.probers = Probers(self.runtime, expand)
        self.events, self.metrics = RecordedEvents(), ProbeMetrics()
        self.prober = Prober(self.probers, self.events, self.metrics, self.clock)
        self.requests: list[web.Request] = []
        self.runners: list[web.AppRunner] = []

    async def serve(self, handler: Handler, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> int:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.requests.append(request)
            return await handler(request)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        self.runners.append(runner)
        site = web.TCPSite(runner, host, 0, ssl_context=tls)
        await site.start()
        port: int = runner.addresses[0][1]
        return port

    async def ask(self, ip: str = "127.0.0.1", *, ports: dict[str, int] | None = None, **probe: Any) -> Attempt:
        named = tuple(ContainerPort(name=name, container_port=port) for name, port in (ports or {}).items())
        target = Target(pod=pod(), container=container(ports=named), container_id="none", ip=ip)
        return await self.probers.attempt(Probe(**{"timeout_seconds": 60, **probe}), target)

    async def get(self, port: int | str, path: str = "/", ip: str = "127.0.0.1", **fields: Any) -> Attempt:
        timeout_s = fields.pop("timeout_s", 60)
        ports = fields.pop("ports", None)
        action = HTTPGetAction(port=port, path=path, **fields)
        return await self.ask(ip, ports=ports, http_get=action, timeout_seconds=timeout_s)


@pytest_asyncio.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    yield made
    for runner in made.runners:
        await runner.cleanup()


def answering(status: int, body: str = "", **headers: str) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, headers=headers)

    return handle


@pytest.mark.parametrize(
    ("status", "verdict", "output"),
    [
        (200, GOOD, "fine"),
        (204, GOOD, ""),
        (304, WARNING, "Probe terminated redirects, Response body: "),
        (302, WARNING, "Probe terminated redirects, Response body: fine"),
        (404, BAD, "HTTP probe failed with statuscode: 404"),
        (503, BAD, "HTTP probe failed with statuscode: 503"),
    ],
)
async def test_http_statuses(scene: Scene, status: int, verdict: AttemptResult, output: str) -> None:
    port = await scene.serve(answering(status, "fine"))
    assert await scene.get(port) == Attempt(verdict=verdict, output=output)


async def test_an_http_request_is_the_kubelets(scene: Scene) -> None:
    port = await scene.serve(answering(200))
    await scene.get(port, "/healthz?deep=1")
    (request,) = scene.requests
    assert request.path_qs == "/healthz?deep=1"
    assert request.method == "GET"
    assert dict(request.headers) == {
        "Host": f"127.0.0.1:{port}",
        "User-Agent": "kube-probe/1.36",
        "Accept": "*/*",
        "Connection": "close",
    }


async def test_headers_of_the_spec_come_first(scene: Scene) -> None:
    port = await scene.serve(answering(200))
    headers = [("Host", "shop.example"), ("user-agent", "me"), ("Accept", ""), ("X-A", "1"), ("X-A", "2")]
    await scene.get(port, "healthz", http_headers=tuple(HTTPHeader(name=name, value=value) for name, value in headers))
    (request,) = scene.requests
    assert request.path == "/healthz"
    assert request.host == "shop.example"
    assert request.headers["User-Agent"] == "me"
    assert "Accept" not in request.headers
    assert request.headers.getall("X-A") == ["1", "2"]


async def test_a_named_port_is_the_containers(scene: Scene) -> None:
    port = await scene.serve(answering(200))
    assert (await scene.get("web", ports={"web": port})).verdict is GOOD
    with pytest.raises(InvalidArgument, match="no port named"):
        await scene.get("web")


async def test_ipv6(scene: Scene) -> None:
    port = await scene.serve(answering(200), host="::1")
    assert (await scene.get(port, ip="::1")).verdict is GOOD
    assert (await scene.ask("::1", tcp_socket=TCPSocketAction(port=port))).verdict is GOOD


async def test_redirects_on_the_host_are_followed(scene: Scene) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/":
            return web.Response(status=301, headers={"Location": "/there?x=1"})
        return web.Response(text=request.path_qs)

    port = await scene.serve(handle)
    assert await scene.get(port, http_headers=(HTTPHeader(name="Host", value="a.example"),)) == Attempt(
        verdict=GOOD, output="/there?x=1"
    )
    assert [request.host for request in scene.requests] == ["a.example", "a.example"]


async def test_a_redirect_to_another_host_ends_with_a_warning(scene: Scene) -> None:
    port = await scene.serve(answering(302, "elsewhere", Location="http://192.0.2.1/"))
    assert await scene.get(port) == Attempt(
        verdict=WARNING, output="Probe terminated redirects, Response body: elsewhere"
    )


async def test_redirects_without_end(scene: Scene) -> None:
    port = await scene.serve(answering(302, Location="/"))
    attempt = await scene.get(port)
    assert attempt.verdict is BAD
    assert attempt.output.endswith("stopped after 10 redirects")


async def test_no_more_of_a_body_is_read_than_an_event_can_show(scene: Scene) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        except ConnectionError:
            return response

    port = await scene.serve(handle)
    attempt = await scene.get(port)
    assert attempt == Attempt(verdict=GOOD, output="x" * OUTPUT_LIMIT_BYTES)


async def own_certificate(directory: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate that nobody has signed, for another name."""
    key, certificate = str(directory / "key.pem"), str(directory / "certificate.pem")
    argv = (*OPENSSL.split(), "-keyout", key, "-out", certificate)
    await PosixProcessRunner().run(Command(argv=argv, timeout_s=patient(60)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_https_without_verification(scene: Scene, tmp_path: Path) -> None:
    port = await scene.serve(answering(200, "secret"), tls=await own_certificate(tmp_path))
    assert (await scene.get(port, scheme="HTTPS")).verdict is GOOD
    assert (await scene.get(port, scheme="HTTP")).verdict is BAD
    plain = await scene.serve(answering(200))
    attempt = await scene.get(plain, scheme="HTTPS")
    assert attempt.verdict is BAD
    assert attempt.output.endswith("http: server gave HTTP response to HTTPS client")


async def test_a_path_is_sent_as_it_is_and_what_no_request_can_hold_is_quoted(scene: Scene) -> None:
    port = await scene.serve(answering(200))
    for path in ("/a%2Fb?x=%20", "/é b#fragment", "/a?b=c?d&e", "?x"):
        await scene.get(port, path)
    raw = [request.raw_path for request in scene.requests]
    assert raw == ["/a%2Fb?x=%20", "/%C3%A9%20b", "/a?b=c?d&e", "/?x"]


async def test_a_header_that_cannot_be_sent_says_nothing_about_the_container(scene: Scene) -> None:
    with pytest.raises(InvalidArgument, match="Illegal header value"):
        await scene.get(await scene.serve(answering(200)), http_headers=(HTTPHeader(name="X-A", value="a\r\nb"),))


async def test_a_header_that_promises_a_body_is_no_request(scene: Scene) -> None:
    with pytest.raises(InvalidArgument):
        await scene.get(free_port(), http_headers=(HTTPHeader(name="Content-Length", value="5"),))


async def test_nobody_listens(scene: Scene) -> None:
    port = free_port()
    attempt = await scene.get(port)
    assert attempt == Attempt(
        verdict=BAD,
        output=f'Get "http://127.0.0.1:{port}/": dial tcp 127.0.0.1:{port}: connect: connection refused',
    )
    tcp = await scene.ask(tcp_socket=TCPSocketAction(port=port))
    assert tcp == Attempt(verdict=BAD, output=f"dial tcp 127.0.0.1:{port}: connect: connection refused")


async def test_a_server_that_does_not_answer_in_time(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        attempt = await scene.get(port, timeout_s=1)
    assert attempt.verdict is BAD
    assert "Client.Timeout exceeded" in attempt.output


async def test_what_is_not_http_is_a_failure(scene: Scene) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        assert (await scene.get(server.sockets[0].getsockname()[1])).verdict is BAD


async def test_tcp_connects(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert await scene.ask(tcp_socket=TCPSocketAction(port=port)) == Attempt(verdict=GOOD)
        assert await scene.ask("192.0.2.1", tcp_socket=TCPSocketAction(port=port, host="localhost")) == Attempt(
            verdict=GOOD
        )


class Health:
    """A server of the gRPC health protocol; `answers` has a message by service."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers
        self.agents: list[str] = []

    async def start(self) -> tuple[grpc.aio.Server, int]:
        server = grpc.aio.server()
        handlers: dict[str, Any] = {"Check": grpc.unary_unary_rpc_method_handler(self._check)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    async def _check(self, request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        self.agents += [str(value) for key, value in context.invocation_metadata() or () if key == "user-agent"]
        if request not in self._answers:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return self._answers[request]


async def test_grpc_health(scene: Scene) -> None:
    health = Health({b"": b"\x08\x01", b"\x0a\x01a": b"\x08\x02", b"\x0a\x01b": b""})
    server, port = await health.start()
    try:
        serving = await scene.ask(grpc=GRPCAction(port=port))
        assert serving == Attempt(verdict=GOOD, output="service healthy")
        outputs = [(await scene.ask(grpc=GRPCAction(port=port, service=name))).output for name in "abc"]
    finally:
        await server.stop(None)
    assert outputs[0] == 'service unhealthy (responded with "NOT_SERVING")'
    assert outputs[1] == 'service unhealthy (responded with "UNKNOWN")'
    assert "code = NOT_FOUND desc = unknown service" in outputs[2]
    assert health.agents[0].startswith("kube-probe/1.36")


async def test_grpc_without_health_or_without_a_server(scene: Scene) -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        attempt = await scene.ask(grpc=GRPCAction(port=port))
    finally:
        await server.stop(None)
    assert attempt.output.startswith("error: this server does not implement the grpc health protocol")
    nobody = await scene.ask(grpc=GRPCAction(port=free_port()), timeout_seconds=1)
    assert nobody.verdict is BAD
    assert nobody.output.startswith('timeout: failed to connect service "127.0.0.1:')


async def test_ways_of_a_later_release_are_no_failure_of_the_container(scene: Scene) -> None:
    port = await scene.serve(answering(200))
    assert (await scene.get(port, protocol="HTTP/1.1")).verdict is GOOD
    with pytest.raises(Unimplemented, match="HTTP2"):
        await scene.get(port, protocol="HTTP2")
    with pytest.raises(Unimplemented, match="TLS"):
        await scene.ask(grpc=GRPCAction(port=port, mode="TLS"))


async def started(scene: Scene) -> Target:
    sandbox = await scene.runtime.run_sandbox(sandbox_config(), "")
    made = await scene.runtime.create_container(sandbox, container_config(), sandbox_config())
    await scene.runtime.start_container(made)
    definition = container(env=(EnvVar(name="DIR", value="/srv"),))
    return Target(pod=pod(), container=definition, container_id=made, ip="10.0.0.1")


async def run_exec(scene: Scene, *, kind: ProbeKind = ProbeKind.LIVENESS) -> ProbeResult | None:
    probe = Probe(exec=ExecAction(command=("cat", "$(DIR)/ok", "$(NONE)", "$$(DIR)")), timeout_seconds=2)
    return await scene.prober.run(kind, probe, await started(scene))


async def test_exec(scene: Scene) -> None:
    commands: list[list[str]] = []

    async def handle(name: str, command: list[str]) -> ExecResult:
        commands.append(command)
        return ExecResult(exit_code=1, stdout=b"out ", stderr=b"x" * 20000)

    scene.runtime.exec_handler = handle
    assert await run_exec(scene) is ProbeResult.FAILURE
    assert commands == [["cat", "/srv/ok", "$(NONE)", "$(DIR)"]]
    ((_, reason, message),) = scene.events.seen
    assert reason == "Unhealthy"
    assert message.startswith("Liveness probe failed: out xxx")
    assert len(message) == len("Liveness probe failed: ") + OUTPUT_LIMIT_BYTES


async def test_an_exec_that_takes_too_long_has_failed(scene: Scene) -> None:
    scene.runtime.failures["exec_sync"] = [DeadlineExceeded("late")]
    assert await run_exec(scene, kind=ProbeKind.READINESS) is ProbeResult.FAILURE
    text = 'Readiness probe failed: command timed out: "cat /srv/ok $(NONE) $(DIR)" timed out after 2s'
    assert scene.events.seen == [("web", "Unhealthy", text)]


async def test_a_runtime_that_fails_says_nothing_about_the_container(scene: Scene) -> None:
    scene.runtime.failures["exec_sync"] = [Unavailable("away")] * 2
    scene.runtime.exec_handler = None
    assert await run_exec(scene) is ProbeResult.SUCCESS
    assert scene.events.seen == []
    scene.runtime.failures["exec_sync"] = [Unavailable("away")] * 3
    assert await run_exec(scene, kind=ProbeKind.STARTUP) is None
    text = "Startup probe errored and resulted in unknown state: away"
    assert scene.events.seen == [("web", "Unhealthy", text)]


async def test_probes_are_counted_while_their_pod_is_there(scene: Scene) -> None:
    where = ("main", "web", "default")
    await run_exec(scene)
    assert scene.metrics.probes.value("liveness", "successful", *where, "uid-web") == 1
    assert scene.metrics.durations.count("liveness", *where) == 1
    scene.runtime.failures["exec_sync"] = [Unavailable("gone")] * 3
    await run_exec(scene)
    assert scene.metrics.probes.value("liveness", "unknown", *where, "uid-web") == 1
    assert scene.metrics.durations.count("liveness", *where) == 1
    scene.prober.forget(pod())
    assert b"web" not in exposition(scene.metrics.families())


async def test_a_warning_is_a_success_with_an_event(scene: Scene) -> None:
    port = await scene.serve(answering(302, Location="http://192.0.2.1/"))
    probe = Probe(http_get=HTTPGetAction(port=port), timeout_seconds=2)
    target = Target(pod=pod(), container=container(), container_id="", ip="127.0.0.1")
    assert await scene.prober.run(ProbeKind.READINESS, probe, target) is ProbeResult.SUCCESS
    assert scene.events.reasons() == ["ProbeWarning"]


async def test_hooks_take_any_answer(scene: Scene) -> None:
    port = await scene.serve(answering(500))
    getter: HttpGetter = HookGetter()
    action = HTTPGetAction(port=port, path="/stop", http_headers=(HTTPHeader(name="X-A", value="1"),))
    assert await getter.get(action, container(), "127.0.0.1") == ""
    assert scene.requests[0].headers["User-Agent"] == "kube-lifecycle/1.36"
    assert scene.requests[0].headers["X-A"] == "1"
    with pytest.raises(Unavailable, match="connection refused"):
        await getter.get(HTTPGetAction(port=free_port()), container(), "127.0.0.1")


async def test_a_hook_to_https_falls_back_to_http_without_its_authorization(scene: Scene) -> None:
    port = await scene.serve(answering(200))
    headers = (HTTPHeader(name="Authorization", value="secret"), HTTPHeader(name="X-A", value="1"))
    action = HTTPGetAction(port=port, path="/stop?now", scheme="HTTPS", http_headers=headers)
    assert await HookGetter().get(action, container(), "127.0.0.1") == f"127.0.0.1:{port}"
    (request,) = scene.requests
    assert request.path_qs == "/stop?now"
    assert request.headers["X-A"] == "1"
    assert "Authorization" not in request.headers


async def test_a_hook_to_https_that_nobody_answers_stays_https(scene: Scene) -> None:
    action = HTTPGetAction(port=free_port(), scheme="HTTPS")
    with pytest.raises(Unavailable, match=r'Get "https://.*connection refused'):
        await HookGetter().get(action, container(), "127.0.0.1")
