"""A D-Bus of the test's own with a logind on it: Debian's dbus-daemon, and a service that speaks the real protocol."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from pathlib import Path
from typing import TypeVar

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.harness.loop_thread import CALL_TIMEOUT_S, LoopThread
from tools.background import Background

Result = TypeVar("Result")

LOGIND, PATH, MANAGER = "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"
SYSTEMD = "org.freedesktop.systemd1"
CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow eavesdrop="true"/>
  </policy>
</busconfig>
"""


class FakeLogind:
    """On the loop of its thread. A lock is a pipe: it is held while its other end is open."""

    def __init__(self, bus: MessageBus, drop_ins: Path) -> None:
        self.delay_us = 5_000_000
        self.asked: list[list[str]] = []  # the arguments of each Inhibit
        self.reloads = 0
        self.reload_works = True
        self._bus = bus
        self._drop_ins = drop_ins
        self._locks: list[int] = []
        self._tasks: set[asyncio.Task[None]] = set()
        bus.add_message_handler(self._handle)

    def _handle(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        match message.member:
            case "Inhibit":
                task = asyncio.create_task(self._inhibit(message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                return True
            case "Get" if message.body == [MANAGER, "InhibitDelayMaxUSec"]:
                return Message.new_method_return(message, "v", [Variant("t", self.delay_us)])
            case "KillUnit" if message.body == ["systemd-logind.service", "all", 1]:
                self._reload()
                return Message.new_method_return(message)
        return None

    async def _inhibit(self, message: Message) -> None:
        self.asked.append(message.body)
        ours, theirs = os.pipe()
        self._locks.append(ours)
        try:
            await self._bus.send(Message.new_method_return(message, "h", [0], unix_fds=[theirs]))
        finally:
            os.close(theirs)

    def _reload(self) -> None:
        self.reloads += 1
        for path in sorted(self._drop_ins.glob("*.conf")) if self.reload_works else ():
            for line in path.read_text().splitlines():
                key, _, value = line.partition("=")
                if key == "InhibitDelayMaxSec":
                    self.delay_us = int(value) * 1_000_000

    async def prepare(self, is_shutting_down: bool) -> None:  # the signal's argument
        """Tell everybody that the machine shuts down, or that it does not."""
        await self._bus.send(
            Message(
                path=PATH,
                interface=MANAGER,
                member="PrepareForShutdown",
                message_type=MessageType.SIGNAL,
                signature="b",
                body=[is_shutting_down],
            )
        )

    def held(self) -> int:
        """How many locks are held."""
        poll = select.poll()
        for lock in self._locks:
            poll.register(lock, 0)
        return len(self._locks) - len([event for _, event in poll.poll(0) if event & select.POLLHUP])

    def close(self) -> None:
        """Leave the bus."""
        self._bus.disconnect()
        for lock in self._locks:
            os.close(lock)


class LogindThread(LoopThread[FakeLogind]):
    """The bus and its logind, for tests that are not asyncio's. `address` is for DBUS_SYSTEM_BUS_ADDRESS."""

    def __init__(self, directory: Path) -> None:
        super().__init__("logind")
        self._directory = directory
        self.address = f"unix:path={directory}/bus"
        self.drop_ins = directory / "logind.conf.d"
        self._daemon: Background | None = None
        self._logind: FakeLogind | None = None

    def start(self) -> None:
        """Have a bus, with a logind on it."""
        config = self._directory / "bus.conf"
        config.write_text(CONFIG.format(socket=self._directory / "bus"))
        argv = ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"]
        self._daemon = Background(argv, log=self._directory / "dbus.log")
        try:
            self._daemon.wait_ready(self._listens, timeout_s=CALL_TIMEOUT_S)
            self._logind = self._run(self._connect)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Take both away: connections break."""
        daemon, self._daemon = self._daemon, None
        try:
            if self._logind is not None:
                self.call(lambda logind: logind.close())
                self._logind = None
        finally:
            if daemon is not None:
                daemon.stop()
            (self._directory / "bus").unlink(missing_ok=True)

    def _listens(self) -> bool:
        """Whether connections are taken: the socket is there a moment before the daemon listens on it."""
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self._directory / "bus")) == 0

    async def _connect(self) -> FakeLogind:
        bus = await MessageBus(bus_address=self.address, negotiate_unix_fd=True).connect()
        for name in (LOGIND, SYSTEMD):
            await bus.request_name(name)
        return FakeLogind(bus, self.drop_ins)

    def served(self) -> FakeLogind:
        assert self._logind is not None
        return self._logind

    def prepare(self, *, is_shutting_down: bool) -> None:
        """See FakeLogind."""

        async def on_loop() -> None:
            assert self._logind is not None
            await self._logind.prepare(is_shutting_down)

        self._run(on_loop)

    def held(self) -> int:
        """See FakeLogind."""
        return self.call(lambda logind: logind.held())
