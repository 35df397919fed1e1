"""One plug-in: its registration, and the calls that the runtime makes of it.

A plug-in that does not answer in time, breaks the protocol or closes its connection is dropped, and whatever asked it
goes on without it. A failure that it answers with is the request's.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
from google.protobuf.message import DecodeError, Message

from podwright.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    PodwrightError,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)
from podwright.process import Process
from podwright.runtime.nri.api import nri_pb2 as pb
from podwright.runtime.nri.connection import PluginConnection
from podwright.ttrpc import Methods

log = logging.getLogger(__name__)

Response = TypeVar("Response", bound=Message)

RUNTIME_SERVICE, PLUGIN_SERVICE = "nri.pkg.api.v1alpha1.Runtime", "nri.pkg.api.v1alpha1.Plugin"
INTERFACE_VERSION = "v0.12.0"  # of NRI
INDEX = re.compile(r"[0-9]{2}")
ALL_EVENTS = (1 << (pb.LAST - 1)) - 1
NOT_ASKED = 1 << (pb.VALIDATE_CONTAINER_ADJUSTMENT - 1)  # only who asks for it validates
CHUNK_BYTES = 3 << 20  # of one Synchronize, below ttrpc's limit


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """In seconds: for a plug-in's registration, and for its answer to a request."""

    registration_s: float
    request_s: float


class NriPlugin:
    """Made for a connection. Usable after `register`."""

    def __init__(
        self,
        timeouts: Timeouts,
        version: str,
        *,
        index: str = "",
        name: str = "",
        config: str = "",
        process: Process | None = None,
    ) -> None:
        """A plug-in that we started has its index, name and configuration from its file, and a process."""
        self.index = index
        self.name = name
        self.events = 0
        self._config = config
        self._timeouts = timeouts
        self._version = version
        self.process = process
        self._registered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.connection: PluginConnection | None = None

    def __str__(self) -> str:
        """As plug-ins and people call it."""
        return f"{self.index}-{self.name}"

    def note_registration(self, request: pb.RegisterPluginRequest) -> None:
        """It called RegisterPlugin. Raises InvalidArgument and FailedPrecondition."""
        if self._registered.done():
            raise FailedPrecondition("this plug-in is registered already")
        if not self.index:
            if not request.plugin_name or not INDEX.fullmatch(request.plugin_idx):
                raise InvalidArgument("a plug-in registers with a name and an index of two digits")
            self.name, self.index = request.plugin_name, request.plugin_idx
        self._registered.set_result(None)

    async def register(self) -> None:
        """Wait for its registration and configure it. Raises PodwrightError."""
        assert self.connection is not None
        ended = self.connection.client.ended
        await asyncio.wait(
            {self._registered, ended}, timeout=self._timeouts.registration_s, return_when=asyncio.FIRST_COMPLETED
        )
        if not self._registered.done():
            raise Unavailable("the plug-in did not register in time, or went away")
        request = pb.ConfigureRequest(
            config=self._config,
            runtime_name="podwright",
            runtime_version=self._version,
            registration_timeout=round(self._timeouts.registration_s * 1000),
            request_timeout=round(self._timeouts.request_s * 1000),
            NRI_version=INTERFACE_VERSION,
        )
        answer = await self._send("Configure", request, pb.ConfigureResponse, self._timeouts.registration_s)
        if answer.events & ~ALL_EVENTS:
            raise InvalidArgument(f"plug-in {self} asks for events that are not known: {answer.events:#x}")
        self.events = answer.events or ALL_EVENTS & ~NOT_ASKED

    async def synchronize(self, pods: list[pb.PodSandbox], containers: list[pb.Container]) -> list[pb.ContainerUpdate]:
        """Describe everything there is. Returns the updates that it wants. Raises PodwrightError."""
        requests = chunks(pods, containers)
        for number, request in enumerate(requests):
            request.more = number + 1 < len(requests)
            answer = await self._send("Synchronize", request, pb.SynchronizeResponse, self._timeouts.registration_s)
            if request.more and not answer.more:
                raise FailedPrecondition(
                    f"plug-in {self} cannot take the list of pods and containers in several parts"
                )
        return list(answer.update)

    def wants(self, event: int) -> bool:
        """Whether it subscribes to an event, and is there."""
        return bool(self.events & 1 << (event - 1)) and not self.is_gone

    @property
    def is_gone(self) -> bool:
        """Whether its connection has ended."""
        return self.connection is None or self.connection.client.ended.done()

    async def call(self, method: str, event: int, request: Message, response: type[Response]) -> Response | None:
        """One request. None if it does not want it, or has been dropped. Raises the failure that it answers with."""
        if not self.wants(event):
            return None
        try:
            return await self._send(method, request, response, self._timeouts.request_s)
        except Unimplemented:
            await self._tell_old(event, request)
            return None
        except (DeadlineExceeded, Unavailable, ResourceExhausted) as failure:
            self.drop(str(failure))
            return None

    async def _tell_old(self, event: int, request: Message) -> None:
        """Plug-ins before 0.9 have one method for all steps that need no answer."""
        change = pb.StateChangeEvent(event=event)  # type: ignore[arg-type] # the number is one
        for field in ("pod", "container"):
            if field in request.DESCRIPTOR.fields_by_name:
                getattr(change, field).CopyFrom(getattr(request, field))
        try:
            await self._send("StateChange", change, pb.Empty, self._timeouts.request_s)
        except Unimplemented:
            return
        except (DeadlineExceeded, Unavailable, ResourceExhausted) as failure:
            self.drop(str(failure))

    async def _send(self, method: str, request: Message, response: type[Response], timeout_s: float) -> Response:
        assert self.connection is not None
        payload = await self.connection.client.call(
            PLUGIN_SERVICE, method, request.SerializeToString(), timeout_s=timeout_s
        )
        try:
            return response.FromString(payload)
        except DecodeError as broken:
            raise Unavailable(f"{method}: the answer of plug-in {self} cannot be read") from broken

    async def shut_down(self) -> None:
        """Say that the daemon ends, and drop it."""
        if not self.is_gone:
            try:
                await self._send("Shutdown", pb.Empty(), pb.Empty, self._timeouts.request_s)
            except PodwrightError as failure:
                log.debug("an NRI plug-in does not shut down: plugin=%s error=%s", self, failure)
        self.drop("")

    def drop(self, why: str) -> None:
        """End its connection, and its process if we started it."""
        if why:
            log.warning("NRI plug-in is dropped: plugin=%s reason=%s", self, why)
        if self.connection is not None:
            self.connection.close()
        if self.process is not None and self.process.returncode is None:
            self.process.kill_group()


def chunks(pods: list[pb.PodSandbox], containers: list[pb.Container]) -> list[pb.SynchronizeRequest]:
    """Everything in requests that are small enough for ttrpc. At least one."""
    requests = [pb.SynchronizeRequest()]
    size = 0
    for field, each in (*(("pods", pod) for pod in pods), *(("containers", one) for one in containers)):
        length = each.ByteSize()
        if size + length > CHUNK_BYTES and size:
            requests.append(pb.SynchronizeRequest())
            size = 0
        getattr(requests[-1], field).append(each)
        size += length
    return requests


Updates = Callable[[NriPlugin, pb.UpdateContainersRequest], Awaitable[pb.UpdateContainersResponse]]


def runtime_methods(plugin: NriPlugin, updated: Updates) -> Methods:
    """What a plug-in may call: RegisterPlugin, and UpdateContainers, which `updated` answers."""

    async def register(payload: bytes, _: Mapping[str, str]) -> bytes:
        plugin.note_registration(_read(pb.RegisterPluginRequest, payload))
        return b""

    async def update(payload: bytes, _: Mapping[str, str]) -> bytes:
        return (await updated(plugin, _read(pb.UpdateContainersRequest, payload))).SerializeToString()

    return {(RUNTIME_SERVICE, "RegisterPlugin"): register, (RUNTIME_SERVICE, "UpdateContainers"): update}


def _read(kind: type[Response], payload: bytes) -> Response:
    try:
        return kind.FromString(payload)
    except DecodeError as broken:
        raise InvalidArgument("the request cannot be read") from broken
