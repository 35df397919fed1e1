"""Who has which CPUs, as a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from podwright.agent.resources.cpus.layout import NO_CPUS, Cpus


class CpuAssignments(msgspec.Struct, frozen=True, kw_only=True):
    """`shared` are the CPUs of all containers that have none of their own. `own` is by pod UID and container name.

    Containers of one pod may have the same CPUs: an init container has ended when those after it start, and those of a
    pod that has CPUs as a whole (`pods`, by UID) may share some of them.
    """

    shared: Cpus = NO_CPUS
    own: Mapping[str, Mapping[str, Cpus]] = msgspec.field(default_factory=dict)
    pods: Mapping[str, Cpus] = msgspec.field(default_factory=dict)

    def of(self, uid: str, container: str) -> Cpus | None:
        """The CPUs that a container has of its own."""
        return self.own.get(uid, {}).get(container)

    def of_pod(self, uid: str) -> Cpus:
        """All CPUs that a pod, or its containers, have of their own."""
        return self.pods.get(uid, NO_CPUS).union(*self.own.get(uid, {}).values())

    def all_own(self) -> Cpus:
        """All CPUs that some pod or container has of its own."""
        return NO_CPUS.union(*(self.of_pod(uid) for uid in {*self.own, *self.pods}))

    def given(self, uid: str, container: str, cpus: Cpus) -> CpuAssignments:
        """The assignments once a container has these CPUs."""
        pod = {**self.own.get(uid, {}), container: cpus}
        return replace(self, shared=self.shared - cpus, own={**self.own, uid: pod})

    def given_pod(self, uid: str, whole: Cpus, parts: Mapping[str, Cpus]) -> CpuAssignments:
        """The assignments once a pod has these CPUs, and each of its containers some of them."""
        own, pods = {**self.own, uid: dict(parts)}, {**self.pods, uid: whole}
        return replace(self, shared=self.shared - whole, own=own, pods=pods)

    def released(self, uid: str) -> CpuAssignments:
        """The assignments once a pod has nothing."""
        rest = {each: containers for each, containers in self.own.items() if each != uid}
        pods = {each: cpus for each, cpus in self.pods.items() if each != uid}
        return replace(self, shared=self.shared | self.of_pod(uid), own=rest, pods=pods)
