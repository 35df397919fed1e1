"""The results of the probes of each container instance."""

from __future__ import annotations

from podwright.agent.probes.outcomes import ProbeKind, ProbeResult


class Findings:
    """The results by container id and kind of probe."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ProbeKind], ProbeResult] = {}

    def get(self, container_id: str, kind: ProbeKind) -> ProbeResult | None:
        """The result.

        None without such a probe, or if the agent knows nothing yet of an instance from before its start.
        """
        return self._found.get((container_id, kind))

    def set(self, container_id: str, kind: ProbeKind, finding: ProbeResult) -> bool:
        """Record a finding. Returns whether it differs from the one before."""
        key = (container_id, kind)
        changed = self._found.get(key) is not finding
        self._found[key] = finding
        return changed

    def forget(self, container_id: str, kind: ProbeKind) -> None:
        """Forget the result of a probe of an instance."""
        self._found.pop((container_id, kind), None)
