"""What the Engine says of a container, as values. Pure."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import msgspec

RUNNING_STATES = frozenset({"running", "paused", "restarting"})
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """One container of the Engine. Times are in nanoseconds since the epoch, 0 if it has not happened."""

    engine_id: str
    status: str  # created, running, paused, restarting, removing, exited, dead
    pid: int = 0  # on this host; 0: none
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    started_at: int = 0
    finished_at: int = 0
    log_path: str = ""
    upper: str = ""  # the directory of what it wrote to its root; empty: the storage driver has none

    @property
    def runs(self) -> bool:
        """Whether it has processes."""
        return self.status in RUNNING_STATES

    @property
    def is_created(self) -> bool:
        """Whether it has never run."""
        return self.status == "created" and not self.error


def state_of(inspected: dict[str, Any]) -> EngineState:
    """The state in the document of an inspection."""
    state = inspected.get("State") or {}
    driver = (inspected.get("GraphDriver") or {}).get("Data") or {}
    return EngineState(
        engine_id=str(inspected.get("Id", "")),
        status=str(state.get("Status", "")),
        pid=int(state.get("Pid") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        error=str(state.get("Error") or ""),
        started_at=nanoseconds(state.get("StartedAt") or ""),
        finished_at=nanoseconds(state.get("FinishedAt") or ""),
        log_path=str(inspected.get("LogPath") or ""),
        upper=str(driver.get("UpperDir") or ""),
    )


def nanoseconds(text: str) -> int:
    """An RFC 3339 time. 0 for the year 1, which is Go's "never", and for what is no time."""
    match = _TIME.fullmatch(text)
    if match is None or text.startswith("0001-"):
        return 0
    whole, fraction, zone = match.groups()
    moment = dt.datetime.fromisoformat(whole + zone.replace("Z", "+00:00"))
    return int(moment.timestamp()) * 10**9 + int((fraction or "0").ljust(9, "0"))
