"""What manifests may say. A recipe is the content of a manifest: the pod's UID follows from it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from podwright.k8s.objects import (
    ConfigMapVolumeSource,
    Container,
    EmptyDirVolumeSource,
    ExecAction,
    Lifecycle,
    LifecycleHandler,
    Pod,
    Probe,
    SleepAction,
    Volume,
    VolumeMount,
)
from tests.agent.fakes.pods import pod
from tests.agent.fakes.runtime import Program

PRESENT, PULLABLE, MISSING = "registry.example/here:1", "registry.example/far:1", "registry.example/nowhere:1"
DELETED = datetime(2026, 1, 1, tzinfo=UTC)

# What a container does follows from its name, so that every instance of it, in every life of the agent, does it.
PROGRAMS = {
    "serve": [Program()],
    "slow": [Program(stops_s=4)],
    "stubborn": [Program(stops_s=None)],
    "once": [Program(runs_s=3)],
    "crash": [Program(runs_s=2, exit_code=1)],
    "flaky": [Program(runs_s=1, exit_code=3), Program()],
    "setup": [Program(runs_s=1)],
    "attempts": [Program(runs_s=1, exit_code=1), Program(runs_s=1)],
    "side": [Program()],
    "tired": [Program(runs_s=20, exit_code=1)],
}
REGULAR = ("serve", "slow", "stubborn", "once", "crash", "flaky")
INIT = ("setup", "attempts")
SIDECARS = ("side", "tired")
HOOKS = {
    "": None,
    "sleep": LifecycleHandler(sleep=SleepAction(seconds=3)),
    "exec": LifecycleHandler(exec=ExecAction(command=("hook",))),
}
PROBE = Probe(exec=ExecAction(command=("probe",)), period_seconds=5, failure_threshold=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a manifest says, as far as it matters here."""

    regular: tuple[str, ...] = ("serve",)
    init: tuple[str, ...] = ()
    policy: str = "Always"
    grace_s: int = 3
    image: str = PRESENT
    pre_stop: str = ""
    post_start: str = ""
    probed: bool = False
    volumes: bool = False
    users: bool = False
    host_network: bool = False
    deadline_s: int | None = None

    def uid(self, name: str) -> str:
        """Of a pod with this content. The image may change under it, as in a manifest that names its UID."""
        return f"{name}-{hashlib.sha256(repr(replace(self, image='')).encode()).hexdigest()[:6]}"

    def pod(self, name: str, source: str, *, deleted: bool = False) -> Pod:
        """The pod as its source sends it."""
        return pod(
            name,
            uid=self.uid(name),
            source=source,
            deleted=DELETED if deleted else None,
            grace_s=self.grace_s if deleted else None,
            containers=tuple(self._regular(each) for each in self.regular),
            init_containers=tuple(self._init(each) for each in self.init),
            restart_policy=self.policy,
            termination_grace_period_seconds=self.grace_s,
            active_deadline_seconds=self.deadline_s,
            host_network=self.host_network,
            host_users=False if self.users else None,
            volumes=(
                Volume(name="disk", empty_dir=EmptyDirVolumeSource()),
                Volume(name="config", config_map=ConfigMapVolumeSource(name="config")),
            )
            if self.volumes
            else (),
        )

    def _regular(self, name: str) -> Container:
        hooks = Lifecycle(pre_stop=HOOKS[self.pre_stop], post_start=HOOKS[self.post_start])
        return Container(
            name=name,
            image=self.image,
            image_pull_policy="IfNotPresent",
            lifecycle=hooks if self.pre_stop or self.post_start else None,
            liveness_probe=PROBE if self.probed else None,
            readiness_probe=PROBE if self.probed else None,
            startup_probe=PROBE if self.probed else None,
            volume_mounts=tuple(VolumeMount(name=each, mount_path=f"/{each}") for each in ("disk", "config"))
            if self.volumes
            else (),
        )

    def _init(self, name: str) -> Container:
        return Container(
            name=name,
            image=PRESENT,
            image_pull_policy="IfNotPresent",
            restart_policy="Always" if name in SIDECARS else None,
        )


SELDOM = st.sampled_from([False, False, False, True])

RECIPES = st.builds(
    Recipe,
    regular=st.lists(st.sampled_from(REGULAR), min_size=1, max_size=2, unique=True).map(tuple),
    init=st.lists(st.sampled_from(INIT + SIDECARS), max_size=2, unique=True).map(tuple),
    policy=st.sampled_from(["Always", "OnFailure", "Never"]),
    grace_s=st.sampled_from([1, 3, 8]),
    image=st.sampled_from([PRESENT, PRESENT, PULLABLE, MISSING]),
    pre_stop=st.sampled_from(list(HOOKS)),
    post_start=st.sampled_from(["", "", "exec"]),
    probed=SELDOM,
    volumes=SELDOM,
    users=SELDOM,
    host_network=SELDOM,
    deadline_s=st.sampled_from([None, None, None, 40]),
)
