"""The four ways to ask a container how it is: a command, an HTTP request, a connection, a gRPC health check.

Each raises a PodwrightError if the probe could not be run, which says nothing about the container.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from podwright.addresses import host_port
from podwright.agent.config.go_duration import SECOND_NS, format_duration
from podwright.agent.pods.ports import find_port
from podwright.agent.probes import http_client
from podwright.agent.probes.attempt import (
    OUTPUT_LIMIT_BYTES,
    Attempt,
    AttemptResult,
    Target,
    connect_failure,
    failure,
)
from podwright.agent.probes.connections import connect
from podwright.agent.probes.grpc_health import check_health
from podwright.agent.probes.http_client import action_url, request_headers
from podwright.agent.runtime.protocol import CriRuntime
from podwright.errors import DeadlineExceeded, FailedPrecondition, Unavailable, Unimplemented
from podwright.k8s.objects import ExecAction, GRPCAction, HTTPGetAction, Probe, TCPSocketAction

Expand = Callable[[str, Mapping[str, str]], str]


class Probers:
    """Makes one attempt of any probe."""

    def __init__(self, runtime: CriRuntime, expand: Expand) -> None:
        """`expand` replaces `$(NAME)` in a command by the container's variables (`configs.expansion.expand`)."""
        self._runtime = runtime
        self._expand = expand

    async def attempt(self, probe: Probe, target: Target) -> Attempt:
        """Make one attempt. Raises PodwrightError if the probe could not be run."""
        timeout_s = max(probe.timeout_seconds, 1)
        if probe.exec is not None:
            return await self._exec(probe.exec, target, timeout_s)
        if probe.http_get is not None:
            return await self._http_get(probe.http_get, target, timeout_s)
        if probe.tcp_socket is not None:
            return await self._tcp(probe.tcp_socket, target, timeout_s)
        if probe.grpc is not None:
            return await self._grpc(probe.grpc, target, timeout_s)
        raise FailedPrecondition(f"missing probe handler for {target.pod.metadata.name}:{target.container.name}")

    async def _exec(self, action: ExecAction, target: Target, timeout_s: int) -> Attempt:
        # Only variables of the spec: the rest of the environment is known only inside the container.
        scope = {variable.name: variable.value for variable in target.container.env}
        command = [self._expand(word, scope) for word in action.command]
        try:
            result = await self._runtime.exec_sync(target.container_id, command, timeout_s)
        except DeadlineExceeded:
            limit = format_duration(timeout_s * SECOND_NS)
            return failure(f'command timed out: "{" ".join(command)}" timed out after {limit}')
        output = (result.stdout + result.stderr)[:OUTPUT_LIMIT_BYTES].decode(errors="replace")
        return Attempt(verdict=AttemptResult.FAILURE if result.exit_code else AttemptResult.SUCCESS, output=output)

    async def _grpc(self, action: GRPCAction, target: Target, timeout_s: int) -> Attempt:
        if action.mode not in ("", "Plaintext"):
            raise _of_a_later_release("grpc.mode", action.mode)
        return await check_health(host_port(target.ip, action.port), action.service or "", timeout_s)

    async def _http_get(self, action: HTTPGetAction, target: Target, timeout_s: int) -> Attempt:
        if action.protocol and not action.protocol.upper().startswith(("HTTP/1", "HTTP1")):
            raise _of_a_later_release("httpGet.protocol", action.protocol)
        url = action_url(action, target.container, target.ip)
        headers = request_headers([(header.name, header.value) for header in action.http_headers], "probe")
        try:
            answer = await http_client.get(url, headers, timeout_s)
        except (Unavailable, DeadlineExceeded) as failed:
            return failure(failed.message)
        body = answer.body.decode(errors="replace")
        if 200 <= answer.status < 300:
            return Attempt(verdict=AttemptResult.SUCCESS, output=body)
        if 300 <= answer.status < 400:
            return Attempt(verdict=AttemptResult.WARNING, output=f"Probe terminated redirects, Response body: {body}")
        return failure(f"HTTP probe failed with statuscode: {answer.status}")  # bodies may hold secrets

    async def _tcp(self, action: TCPSocketAction, target: Target, timeout_s: int) -> Attempt:
        host, port = action.host or target.ip, find_port(target.container, action.port)
        try:
            async with asyncio.timeout(timeout_s):
                (await connect(host, port)).close()
        except OSError as failed:
            return failure(connect_failure(host_port(host, port), failed))
        return Attempt(verdict=AttemptResult.SUCCESS)


def _of_a_later_release(field: str, value: str) -> Unimplemented:
    """The error for a value of a later Kubernetes release."""
    return Unimplemented(
        f"{field} {value!r} is not supported", hint="fields newer than Kubernetes 1.36 are not honoured"
    )
