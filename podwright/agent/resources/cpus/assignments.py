"""Who has which CPUs, as a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from podwright.agent.resources.cpus.layout import NO_CPUS, Cpus


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuAssignments:
    """`shared` are the CPUs of all containers that have none of their own. `own` is by pod UID and container name.

    Containers of one pod may have the same CPUs: an init container has ended when those after it start.
    """

    shared: Cpus = NO_CPUS
    own: Mapping[str, Mapping[str, Cpus]] = field(default_factory=dict)

    def of(self, uid: str, container: str) -> Cpus | None:
        """The CPUs that a container has of its own."""
        return self.own.get(uid, {}).get(container)

    def of_pod(self, uid: str) -> Cpus:
        """All CPUs that the containers of a pod have of their own."""
        return NO_CPUS.union(*self.own.get(uid, {}).values())

    def all_own(self) -> Cpus:
        """All CPUs that some container has of its own."""
        return NO_CPUS.union(*(self.of_pod(uid) for uid in self.own))

    def given(self, uid: str, container: str, cpus: Cpus) -> CpuAssignments:
        """The assignments once a container has these CPUs."""
        pod = {**self.own.get(uid, {}), container: cpus}
        return replace(self, shared=self.shared - cpus, own={**self.own, uid: pod})

    def released(self, uid: str) -> CpuAssignments:
        """The assignments once a pod has nothing."""
        rest = {each: containers for each, containers in self.own.items() if each != uid}
        return replace(self, shared=self.shared | self.of_pod(uid), own=rest)
