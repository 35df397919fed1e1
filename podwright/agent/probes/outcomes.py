"""The results of probes."""

from __future__ import annotations

import enum

import msgspec


class ProbeKind(enum.Enum):
    """The three probes that a container may have."""

    LIVENESS = "liveness"
    READINESS = "readiness"
    STARTUP = "startup"


class ProbeResult(enum.Enum):
    """The result of a probe according to its thresholds. UNKNOWN: a startup probe has not decided yet."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"


class ProbeOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A changed result for one instance of a container."""

    pod_uid: str
    container: str
    container_id: str
    kind: ProbeKind
    finding: ProbeResult
