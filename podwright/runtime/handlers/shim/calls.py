"""The calls of a shim: the Task API, v2 and v3, and the Sandbox API. Every call has a deadline."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message

from podwright.errors import Internal, RuntimeFailed, Unknown
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.bootstrap import NAMESPACE
from podwright.ttrpc import TtrpcClient

SANDBOX = "containerd.runtime.sandbox.v1.Sandbox"
METADATA = {"containerd-namespace-ttrpc": NAMESPACE}
QUICK_S = 10.0  # for calls that take milliseconds
DRAIN_S = 10.0  # the runc shim's Delete waits so long for output that a process outside the container still holds

Reply = TypeVar("Reply", bound=Message)


class ShimCalls:
    """One shim's methods. All raise RuntimeFailed with the runtime's message, the error of the shim's status
    (NotFound, FailedPrecondition), DeadlineExceeded, and Unavailable when the shim is gone.
    """

    def __init__(self, client: TtrpcClient, version: int, timeout_s: float) -> None:
        """`timeout_s` is for calls in which the shim runs an OCI runtime."""
        self.client = client
        self._task = f"containerd.task.v{version}.Task"
        self.timeout_s = timeout_s
        self._quick_s = min(QUICK_S, timeout_s)
        # A simple call was not answered in time. Its caller makes no further call that a client waits for.
        self.hangs = False

    async def _call(self, service: str, method: str, request: Message, timeout_s: float | None) -> bytes:
        try:
            answer = await self.client.call(
                service, method, request.SerializeToString(), timeout_s=timeout_s, metadata=METADATA
            )
            self.hangs = False
            return answer  # noqa: TRY300 # one line of success
        except (Unknown, Internal) as failure:
            raise RuntimeFailed(f"shim {method}: {failure}") from failure

    async def _ask(self, method: str, request: Message, reply: type[Reply], timeout_s: float | None) -> Reply:
        return _read(method, await self._call(self._task, method, request, timeout_s), reply)

    async def _tell(self, method: str, request: Message, timeout_s: float = 0.0) -> None:
        await self._call(self._task, method, request, timeout_s or self._quick_s)

    # -- containers; with an exec's id, processes in them

    async def create(self, request: pb.CreateRequest) -> int:
        """The PID that the shim gives, 0 for none."""
        return (await self._ask("Create", request, pb.CreateResponse, self.timeout_s)).pid

    async def exec(self, request: pb.ExecRequest) -> None:
        """Make a process known. `start` runs it."""
        await self._tell("Exec", request)

    async def start(self, container_id: str, exec_id: str = "") -> int:
        """The PID that the shim gives, 0 for none."""
        request = pb.ProcessRequest(id=container_id, exec_id=exec_id)
        return (await self._ask("Start", request, pb.StartResponse, self.timeout_s)).pid

    async def wait(self, container_id: str, exec_id: str = "") -> pb.WaitResponse:
        """Wait for its end. Without a deadline."""
        request = pb.ProcessRequest(id=container_id, exec_id=exec_id)
        return await self._ask("Wait", request, pb.WaitResponse, None)

    async def state(self, container_id: str) -> pb.StateResponse:
        """What the shim says of a container."""
        return await self._ask("State", pb.ProcessRequest(id=container_id), pb.StateResponse, self._quick_s)

    async def kill(self, container_id: str, number: int, *, exec_id: str = "", everyone: bool = False) -> None:
        """Send a signal."""
        await self._tell("Kill", pb.KillRequest(id=container_id, exec_id=exec_id, signal=number, all=everyone))

    async def delete(self, container_id: str, exec_id: str = "") -> pb.DeleteResponse:
        """Remove what the shim keeps of one that has ended."""
        request = pb.ProcessRequest(id=container_id, exec_id=exec_id)
        return await self._ask("Delete", request, pb.DeleteResponse, self._quick_s + DRAIN_S)

    async def pause(self, container_id: str) -> None:
        """Freeze it."""
        await self._tell("Pause", pb.ProcessRequest(id=container_id), self.timeout_s)

    async def resume(self, container_id: str) -> None:
        """Thaw it."""
        await self._tell("Resume", pb.ProcessRequest(id=container_id), self.timeout_s)

    async def resize(self, container_id: str, exec_id: str, width: int, height: int) -> None:
        """Set a terminal's size."""
        await self._tell("ResizePty", pb.ResizeRequest(id=container_id, exec_id=exec_id, width=width, height=height))

    async def close_stdin(self, container_id: str, exec_id: str = "") -> None:
        """Have the shim close its side of the stdin fifo, so that stdin ends when we close ours."""
        await self._tell("CloseIO", pb.CloseIoRequest(id=container_id, exec_id=exec_id, stdin=True))

    async def update(self, container_id: str, resources: AnyMessage) -> None:
        """Set limits."""
        await self._tell("Update", pb.UpdateRequest(id=container_id, resources=resources), self.timeout_s)

    async def checkpoint(self, container_id: str, path: str, options: AnyMessage | None) -> None:
        """Without a deadline: the caller bounds the time."""
        request = pb.CheckpointRequest(id=container_id, path=path, options=options)
        await self._call(self._task, "Checkpoint", request, None)

    async def stats(self, container_id: str) -> AnyMessage:
        """Its usage, in a message of the shim's choice."""
        return (await self._ask("Stats", pb.ProcessRequest(id=container_id), pb.StatsResponse, self._quick_s)).stats

    async def connect(self, container_id: str) -> pb.ConnectResponse:
        """The shim's own PID."""
        return await self._ask("Connect", pb.ProcessRequest(id=container_id), pb.ConnectResponse, self._quick_s)

    async def shut_down(self, container_id: str) -> None:
        """Have the shim end, if it has no containers."""
        await self._tell("Shutdown", pb.ShutdownRequest(id=container_id))

    # -- the sandbox, of shims that have the API

    async def run_sandbox(self, request: pb.CreateSandboxRequest) -> int:
        """Make and start it. The PID that the shim gives."""
        await self._call(SANDBOX, "CreateSandbox", request, self.timeout_s)
        start = pb.SandboxRequest(sandbox_id=request.sandbox_id)
        answer = await self._call(SANDBOX, "StartSandbox", start, self.timeout_s)
        return _read("StartSandbox", answer, pb.StartSandboxResponse).pid

    async def wait_sandbox(self, sandbox_id: str) -> None:
        """Return when it has ended."""
        await self._call(SANDBOX, "WaitSandbox", pb.SandboxRequest(sandbox_id=sandbox_id), None)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Stop it, and have the shim end."""
        stop = pb.StopSandboxRequest(sandbox_id=sandbox_id, timeout_secs=int(self._quick_s))
        await self._call(SANDBOX, "StopSandbox", stop, self.timeout_s)
        await self._call(SANDBOX, "ShutdownSandbox", pb.SandboxRequest(sandbox_id=sandbox_id), self._quick_s)


def _read(method: str, answer: bytes, reply: type[Reply]) -> Reply:
    try:
        return reply.FromString(answer)
    except DecodeError as broken:
        raise RuntimeFailed(f"shim {method}: the answer cannot be read") from broken
