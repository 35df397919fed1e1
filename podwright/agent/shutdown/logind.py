"""systemd-logind by D-Bus: its inhibitor locks, and its signal that the machine shuts down.

See org.freedesktop.login1(5) and https://systemd.io/INHIBITOR_LOCKS. The library is imported with the first
connection, because an agent without graceful shutdown does not need it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from podwright.errors import DeadlineExceeded, Unavailable
from podwright.linux.files import replace_file
from podwright.tasks import Tasks

if TYPE_CHECKING:
    from dbus_fast import Message
    from dbus_fast.aio import MessageBus

log = logging.getLogger(__name__)

SERVICE, PATH, MANAGER = "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"
SYSTEMD, SYSTEMD_PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
BUS, BUS_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"
SIGNAL = "PrepareForShutdown"
MATCH = f"type='signal',interface='{MANAGER}',member='{SIGNAL}',path='{PATH}'"
# The kubelet's own file, so that a kubelet and this agent replace each other's.
DROP_INS, DROP_IN = "/etc/systemd/logind.conf.d", "99-kubelet.conf"
HANGUP = 1  # the signal on which logind reads its configuration again
CALL_S = 10.0
SIGNALS_LIMIT = 16


class Logind:
    """Takes locks of logind and follows its signals."""

    def __init__(self, bus: MessageBus, drop_ins: str) -> None:
        self._bus = bus
        self._drop_ins = drop_ins
        self._news: asyncio.Queue[bool | None] = asyncio.Queue(SIGNALS_LIMIT)  # None: the connection is lost
        self._tasks = Tasks()
        bus.add_message_handler(self._take)

    async def follow(self) -> None:
        """Start to listen."""
        self._tasks.start(self._watch(), name="end of the D-Bus connection")
        await self._call(BUS, BUS_PATH, BUS, "AddMatch", "s", [MATCH])

    async def longest_delay_s(self) -> float:
        asked = [MANAGER, "InhibitDelayMaxUSec"]
        reply = await self._call(SERVICE, PATH, f"{BUS}.Properties", "Get", "ss", asked)
        value = getattr(reply.body[0], "value", None) if reply.body else None
        if not isinstance(value, int):
            raise Unavailable("logind does not say how long a shutdown may be delayed (InhibitDelayMaxUSec)")
        return value / 1e6

    async def delay_shutdown(self) -> int:
        why = ["shutdown", "kubelet", "Kubelet needs time to handle node shutdown", "delay"]
        reply = await self._call(SERVICE, PATH, MANAGER, "Inhibit", "ssss", why)
        if not reply.unix_fds:
            raise Unavailable("logind has given no lock for a delay of shutdown")
        return reply.unix_fds[0]

    async def allow_delay(self, seconds: int) -> None:
        """See LoginManager. Writes a drop-in of logind's configuration, and has logind read it."""
        await asyncio.to_thread(self._write_drop_in, seconds)
        body = ["systemd-logind.service", "all", HANGUP]
        await self._call(SYSTEMD, SYSTEMD_PATH, f"{SYSTEMD}.Manager", "KillUnit", "ssi", body)

    def _write_drop_in(self, seconds: int) -> None:
        os.makedirs(self._drop_ins, mode=0o755, exist_ok=True)
        text = f"# Kubelet logind override\n[Login]\nInhibitDelayMaxSec={seconds}\n"
        replace_file(f"{self._drop_ins}/{DROP_IN}", text.encode(), mode=0o644)

    async def next_shutdown(self) -> bool:
        is_down = await self._news.get()
        if is_down is None:
            raise Unavailable("the connection to D-Bus is lost")
        return is_down

    async def _watch(self) -> None:
        """Wait for the loss of the connection, in its own task: to cancel the wait cancels the library's own
        future."""
        try:
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call] # the library's has no annotations
        except (OSError, EOFError) as failure:
            log.info("the connection to D-Bus is lost: error=%s", failure)
        self._tell(None)

    async def close(self) -> None:
        self._bus.disconnect()
        await self._tasks.close()

    def _take(self, message: Message) -> None:
        is_it = (message.interface, message.member, message.path) == (MANAGER, SIGNAL, PATH)
        if not is_it or not message.body or not isinstance(message.body[0], bool):
            return
        self._tell(message.body[0])

    def _tell(self, news: bool | None) -> None:  # the signal's argument
        if self._news.full():  # only the newest signal counts
            self._news.get_nowait()
        self._news.put_nowait(news)

    async def _call(
        self, service: str, path: str, interface: str, member: str, signature: str, body: Sequence[Any]
    ) -> Message:
        """Raises Unavailable and DeadlineExceeded."""
        from dbus_fast import Message, MessageType  # noqa: PLC0415 # see the module's text

        if not self._bus.connected:
            raise Unavailable(f"{service} cannot be asked for {member}: the connection to D-Bus is lost")
        message = Message(
            destination=service,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        try:
            async with asyncio.timeout(CALL_S):
                reply = await self._bus.call(message)
        except TimeoutError as failure:
            raise DeadlineExceeded(f"{service} does not answer to {member} on D-Bus within {CALL_S:g} s") from failure
        except (OSError, EOFError) as failure:
            raise Unavailable(f"{service} cannot be asked for {member} on D-Bus: {failure}") from failure
        if reply is None:
            raise Unavailable(f"{service} does not answer to {member} on D-Bus")
        if reply.message_type is MessageType.ERROR:
            what = ": ".join(str(part) for part in (reply.error_name, *reply.body))
            raise Unavailable(f"{service} refuses {member} on D-Bus: {what}")
        return reply


async def connect_logind(drop_ins: str = DROP_INS) -> Logind:
    """Connect to the system's bus (DBUS_SYSTEM_BUS_ADDRESS, or the well-known one). Raises Unavailable."""
    from dbus_fast import BusType, DBusError, InvalidAddressError  # noqa: PLC0415 # see the module's text
    from dbus_fast.aio import MessageBus  # noqa: PLC0415 # as above

    try:
        async with asyncio.timeout(CALL_S):
            bus = await MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True).connect()
    except TimeoutError as failure:
        raise Unavailable(f"D-Bus does not answer within {CALL_S:g} s") from failure
    except (OSError, EOFError, DBusError, InvalidAddressError) as failure:
        raise Unavailable(f"there is no D-Bus: {failure}", hint="graceful shutdown needs systemd-logind") from failure
    logind = Logind(bus, drop_ins)
    try:
        await logind.follow()
    except BaseException:
        await logind.close()
        raise
    return logind
