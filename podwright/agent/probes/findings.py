"""What probes have found of each instance of a container."""

from __future__ import annotations

from podwright.agent.probes.outcomes import ProbeKind, ProbeResult


class Findings:
    """The findings by container id and kind."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ProbeKind], ProbeResult] = {}

    def get(self, container_id: str, kind: ProbeKind) -> ProbeResult | None:
        """None when there is no such probe, or when nothing is known of an instance that is older than the agent."""
        return self._found.get((container_id, kind))

    def set(self, container_id: str, kind: ProbeKind, finding: ProbeResult) -> bool:
        """Record a finding. Returns whether it differs from the one before."""
        key = (container_id, kind)
        changed = self._found.get(key) is not finding
        self._found[key] = finding
        return changed

    def forget(self, container_id: str, kind: ProbeKind) -> None:
        """Forget what a probe found of an instance."""
        self._found.pop((container_id, kind), None)
