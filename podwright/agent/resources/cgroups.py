"""The cgroups of pods, by QoS class. Implements `protocol.QosCgroups`.

Existing cgroups are read from the host each time, so nothing is kept over a restart.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Iterator

from podwright.agent.configs.cpu import SHARES_MIN
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.pods.qos import QosClass, qos_class
from podwright.agent.resources import cgroupfs
from podwright.agent.resources.cgroup_names import CgroupNames
from podwright.agent.resources.drivers import CgroupDriver
from podwright.agent.resources.limits import (
    CgroupLimits,
    LimitRules,
    limits_of_classes,
    limits_of_pod,
)
from podwright.agent.resources.resize_steps import current_limits
from podwright.errors import DeadlineExceeded, FailedPrecondition, Internal, reason
from podwright.k8s.objects import Pod
from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost

log = logging.getLogger(__name__)

CLASSES: tuple[QosClass, ...] = ("Guaranteed", "Burstable", "BestEffort")
KILL_TIMEOUT_S = 5.0
_HINT = "check that cgroups are mounted read-write"


class CgroupTree:
    """The tree below `names.kubepods`. `root_limits` are the limits of all pods together."""

    def __init__(
        self,
        host: CgroupHost,
        driver: CgroupDriver,
        names: CgroupNames,
        rules: LimitRules,
        root_limits: CgroupLimits,
        events: EventRecorder,
        lifts_quota: Callable[[Pod], bool] = lambda _: False,
    ) -> None:
        """`lifts_quota` returns whether a pod has CPUs to itself, and so no CPU quota."""
        self._host = host
        self._driver = driver
        self._names = names
        self._rules = rules
        self._root_limits = root_limits
        self._events = events
        self._lifts_quota = lifts_quota
        self._is_root_limited = False
        self._made: dict[str, str] = {}  # paths by UID, of pods since the start

    async def ensure_root(self) -> None:
        """Make the cgroups of all pods and of the classes. Raises PodwrightError.

        If more memory is in use than the new limit of all pods, an event says so, and `update_qos` tries again.
        """
        names = self._names
        if names.root and not cgroupfs.has_directory(self._host, names.top):
            raise FailedPrecondition(
                f"invalid configuration: cgroup-root {names.top} doesn't exist", hint="make it, or unset cgroupRoot"
            )
        try:
            await self._driver.make(names.kubepods, CgroupLimits())
            for qos, limits in limits_of_classes((), self._rules).items():
                known = cgroupfs.exists(self._host, names.of_class(qos))
                # The weight of a class is only known when its pods are.
                await self._driver.make(names.of_class(qos), CgroupLimits() if known else limits)
        except OSError as failure:
            raise Internal(f"the cgroups of pods cannot be made: {reason(failure)}", hint=_HINT) from failure
        await self._limit_root()

    async def update_qos(self, pods: Iterable[Pod]) -> None:
        """Set the limits of the classes from the sums of their pods' requests.

        Raises PodwrightError.
        """
        if not self._is_root_limited:
            await self._limit_root()
        try:
            for qos, limits in limits_of_classes(pods, self._rules).items():
                await self._driver.limit(self._names.of_class(qos), limits)
        except OSError as failure:
            raise Internal(f"the cgroups of QoS classes cannot be limited: {reason(failure)}", hint=_HINT) from failure

    def parent_of(self, pod: Pod) -> str:
        """CRI's cgroup parent: the path of the pod's cgroup, for both drivers. Raises InvalidArgument."""
        return self._names.of_pod(qos_class(pod), pod.metadata.uid)

    def exists(self, pod: Pod) -> bool:
        """Whether the pod's cgroup exists. Raises InvalidArgument."""
        return cgroupfs.exists(self._host, self.parent_of(pod))

    async def ensure(self, pod: Pod) -> None:
        """Make the pod's cgroup with its limits. An existing one keeps the limits it has. Raises PodwrightError."""
        path = self._made[pod.metadata.uid] = self.parent_of(pod)
        if self.exists(pod):
            return
        try:
            await self._driver.make(path, limits_of_pod(pod, self._rules, lifts_quota=self._lifts_quota(pod)))
        except BaseException as failure:
            await self._undo(path)  # else the next pass would find it and assume its limits
            if isinstance(failure, OSError):
                raise Internal(f"cgroup {path} cannot be made: {failure}", hint=_HINT) from failure
            raise

    def wanted(self, pod: Pod) -> CgroupLimits:
        """The limits of a pod with these resources."""
        return limits_of_pod(pod, self._rules)

    def current(self, pod: Pod) -> CgroupLimits | None:
        """The present CPU and memory limits of the pod's cgroup. Raises Internal."""
        path = self.parent_of(pod)
        try:
            return current_limits(cgroupfs.text, self._host, path)
        except (OSError, ValueError) as failure:
            raise Internal(f"the limits of cgroup {path} cannot be read: {reason(failure)}", hint=_HINT) from failure

    async def limit(self, pod: Pod, limits: CgroupLimits) -> None:
        """Change limits of the pod's cgroup. Raises PodwrightError."""
        path = self.parent_of(pod)
        try:
            await self._driver.limit(path, limits)
        except OSError as failure:
            raise Internal(f"cgroup {path} cannot be limited: {reason(failure)}", hint=_HINT) from failure

    async def remove(self, uid: str) -> None:
        """Kill what is left in the pod's cgroup and remove it. An absent one succeeds. Raises PodwrightError."""
        for path in self._paths_of(uid):
            try:
                await self._driver.remove(path)
            except OSError as failure:
                raise Internal(f"cgroup {path} cannot be removed: {reason(failure)}", hint=_HINT) from failure
        self._made.pop(uid, None)

    async def kill(self, uid: str) -> None:
        """Kill what runs in the pod's cgroup. Raises DeadlineExceeded."""
        for path in self._paths_of(uid):
            if not await asyncio.to_thread(cgroup.kill_all, self._host, path, KILL_TIMEOUT_S):
                raise DeadlineExceeded(f"processes in cgroup {path} do not end", hint="one may hang in the kernel")

    async def reduce_cpu(self, uid: str) -> None:
        """Limit a pod that is ending to the least CPU of a cgroup. Raises PodwrightError."""
        for path in self._paths_of(uid):
            try:
                await self._driver.limit(path, CgroupLimits(cpu_shares=SHARES_MIN))
            except OSError as failure:
                raise Internal(f"cgroup {path} cannot be limited: {reason(failure)}", hint=_HINT) from failure

    def found(self) -> frozenset[str]:
        """The UIDs of the pods that have a cgroup in any hierarchy."""
        return frozenset(uid for qos in CLASSES for uid in self._found_in(self._names.of_class(qos)))

    def _found_in(self, parent: str) -> Iterator[str]:
        for directory in self._host.directories(parent):
            try:
                entries = os.scandir(directory)
            except FileNotFoundError:
                continue
            with entries:
                names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            yield from (uid for name in names if (uid := self._names.uid_of(parent, name)))

    def _paths_of(self, uid: str) -> list[str]:
        """The possible paths of the pod's cgroup.

        The class of a pod that is gone is only known if this agent made its cgroup.
        """
        known = self._made.get(uid)
        paths = [known] if known is not None else [self._names.of_pod(qos, uid) for qos in CLASSES]
        return [path for path in paths if any(os.path.isdir(folder) for folder in self._host.directories(path))]

    async def _limit_root(self) -> None:
        path = self._names.kubepods
        try:
            await self._driver.limit(path, self._root_limits)
        except OSError as failure:
            message = f'Failed to update Node Allocatable Limits "{path}": {failure}'
            self._events.node("Warning", "FailedNodeAllocatableEnforcement", message)
            return
        self._is_root_limited = True
        self._events.node("Normal", "NodeAllocatableEnforced", "Updated Node Allocatable limit across pods")

    async def _undo(self, path: str) -> None:
        try:
            await self._driver.remove(path)
        except Exception as failure:  # noqa: BLE001 # the first failure is the one to report
            log.warning("a cgroup that could not be limited is left: cgroup=%s error=%s", path, failure)


class NoCgroups:
    """`cgroupsPerQOS: false`: the agent makes no cgroups, and the runtime chooses those of containers."""

    async def ensure_root(self) -> None:
        """Nothing is to be made."""

    async def update_qos(self, pods: Iterable[Pod]) -> None:
        """Does nothing."""

    def parent_of(self, pod: Pod) -> str:  # noqa: ARG002 # the protocol's
        """Empty: the runtime chooses."""
        return ""

    def exists(self, pod: Pod) -> bool:  # noqa: ARG002 # the protocol's
        """Always: nothing is missing."""
        return True

    async def ensure(self, pod: Pod) -> None:
        """Nothing is to be made."""

    def wanted(self, pod: Pod) -> CgroupLimits:  # noqa: ARG002 # the protocol's
        """There is nothing to limit."""
        return CgroupLimits()

    def current(self, pod: Pod) -> CgroupLimits | None:  # noqa: ARG002 # the protocol's
        """None: there is no cgroup."""
        return None

    async def limit(self, pod: Pod, limits: CgroupLimits) -> None:
        """There is nothing to limit."""

    async def remove(self, uid: str) -> None:
        """Nothing is there."""

    async def kill(self, uid: str) -> None:
        """Nothing is there."""

    async def reduce_cpu(self, uid: str) -> None:
        """Nothing is there."""

    def found(self) -> frozenset[str]:
        """Nothing is there."""
        return frozenset()
