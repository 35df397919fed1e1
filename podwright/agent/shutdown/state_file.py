"""The kubelet's file with the time of the last shutdown, which is read after the machine has started again."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import msgspec

from podwright.k8s.times import format_time
from podwright.linux.files import replace_file

log = logging.getLogger(__name__)

NAME = "graceful_node_shutdown_state"
NEVER = "0001-01-01T00:00:00Z"  # Go's zero time
LIMIT_BYTES = 4096


class ShutdownTimes(msgspec.Struct, frozen=True, kw_only=True):
    """The times in seconds since the epoch. 0: not yet."""

    start_s: float = 0.0
    end_s: float = 0.0


class _Times(msgspec.Struct, frozen=True, rename="camel"):
    start_time: datetime | None = None
    end_time: datetime | None = None


class ShutdownFile:
    """The file. Calls block for a moment."""

    def __init__(self, root: str) -> None:
        """`root` is the agent's own directory."""
        self._path = f"{root}/{NAME}"

    def read(self) -> ShutdownTimes:
        """Read the file. Empty if it is absent or invalid."""
        try:
            with open(self._path, "rb") as file:
                found = msgspec.json.decode(file.read(LIMIT_BYTES), type=_Times)
        except FileNotFoundError:
            return ShutdownTimes()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as failure:
            log.warning("the times of the last shutdown cannot be read: path=%s error=%s", self._path, failure)
            return ShutdownTimes()
        return ShutdownTimes(start_s=_seconds(found.start_time), end_s=_seconds(found.end_time))

    def write(self, times: ShutdownTimes) -> None:
        """Replace the file. A failure is only logged, and the shutdown goes on."""
        text = {"startTime": _text(times.start_s), "endTime": _text(times.end_s)}
        try:
            replace_file(self._path, msgspec.json.encode(text), mode=0o644, sync=True)
        except OSError as failure:
            log.warning("the time of the shutdown cannot be written: path=%s error=%s", self._path, failure)


def _seconds(time: datetime | None) -> float:
    return 0.0 if time is None or time.year == 1 else float(int(time.timestamp()))


def _text(seconds: float) -> str:
    return format_time(datetime.fromtimestamp(seconds, UTC)) if seconds else NEVER
