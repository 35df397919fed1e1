"""Exec, Attach and PortForward. Each answers a URL that works once."""

from __future__ import annotations

from typing import Any

from podwright.cri.v1 import api_pb2 as api
from podwright.runtime.engines.protocol import StreamingEngine
from podwright.runtime.model.ids import ContainerId, SandboxId
from podwright.runtime.model.streaming import AttachRequest, ExecRequest, PortForwardRequest


class StreamingRpcs:
    def __init__(self, streaming: StreamingEngine) -> None:
        self._streaming = streaming

    async def Exec(self, request: api.ExecRequest, _: Any) -> api.ExecResponse:
        wanted = ExecRequest(
            container_id=ContainerId(request.container_id),
            command=tuple(request.cmd),
            tty=request.tty,
            stdin=request.stdin,
            stdout=request.stdout,
            stderr=request.stderr,
        )
        return api.ExecResponse(url=await self._streaming.exec_url(wanted))

    async def Attach(self, request: api.AttachRequest, _: Any) -> api.AttachResponse:
        wanted = AttachRequest(
            container_id=ContainerId(request.container_id),
            tty=request.tty,
            stdin=request.stdin,
            stdout=request.stdout,
            stderr=request.stderr,
        )
        return api.AttachResponse(url=self._streaming.attach_url(wanted))

    async def PortForward(self, request: api.PortForwardRequest, _: Any) -> api.PortForwardResponse:
        wanted = PortForwardRequest(sandbox_id=SandboxId(request.pod_sandbox_id), ports=tuple(request.port))
        return api.PortForwardResponse(url=self._streaming.port_forward_url(wanted))
