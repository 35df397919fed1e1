"""Which container has which CPUs, as a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from podwright.agent.resources.cpus.layout import NO_CPUS, Cpus


class CpuAssignments(msgspec.Struct, frozen=True, kw_only=True):
    """`shared` are the CPUs of all containers without exclusive ones. `own` is by pod UID and container name.

    Containers of one pod may have the same CPUs: an init container ends before the next ones start, and containers of
    a pod with pod-level CPUs (`pods`, by UID) may share some of them.
    """

    shared: Cpus = NO_CPUS
    own: Mapping[str, Mapping[str, Cpus]] = msgspec.field(default_factory=dict)
    pods: Mapping[str, Cpus] = msgspec.field(default_factory=dict)

    def of(self, uid: str, container: str) -> Cpus | None:
        """The exclusive CPUs of a container. None if it has none."""
        return self.own.get(uid, {}).get(container)

    def of_pod(self, uid: str) -> Cpus:
        """All exclusive CPUs of a pod and its containers."""
        return self.pods.get(uid, NO_CPUS).union(*self.own.get(uid, {}).values())

    def all_own(self) -> Cpus:
        """All exclusive CPUs of the node."""
        return NO_CPUS.union(*(self.of_pod(uid) for uid in {*self.own, *self.pods}))

    def given(self, uid: str, container: str, cpus: Cpus) -> CpuAssignments:
        """The assignments with these CPUs for a container."""
        pod = {**self.own.get(uid, {}), container: cpus}
        return replace(self, shared=self.shared - cpus, own={**self.own, uid: pod})

    def given_pod(self, uid: str, whole: Cpus, parts: Mapping[str, Cpus]) -> CpuAssignments:
        """The assignments with these CPUs for a pod, and parts of them for its containers."""
        own, pods = {**self.own, uid: dict(parts)}, {**self.pods, uid: whole}
        return replace(self, shared=self.shared - whole, own=own, pods=pods)

    def released(self, uid: str) -> CpuAssignments:
        """The assignments without those of a pod."""
        rest = {each: containers for each, containers in self.own.items() if each != uid}
        pods = {each: cpus for each, cpus in self.pods.items() if each != uid}
        return replace(self, shared=self.shared | self.of_pod(uid), own=rest, pods=pods)
