"""What probes find out."""

from __future__ import annotations

import enum

import msgspec


class ProbeKind(enum.Enum):
    """The three probes that a container may have."""

    LIVENESS = "liveness"
    READINESS = "readiness"
    STARTUP = "startup"


class ProbeResult(enum.Enum):
    """A probe's result after its thresholds. UNKNOWN: a startup probe that has not decided yet."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"


class ProbeOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A result that differs from the one before, of one instance of a container."""

    pod_uid: str
    container: str
    container_id: str
    kind: ProbeKind
    finding: ProbeResult
