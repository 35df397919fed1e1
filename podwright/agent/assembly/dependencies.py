"""What the agent needs in addition to its configuration."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.cluster.api_cluster import ApiServers
from podwright.agent.configs.ports import NoServices, Services
from podwright.agent.loop import HOUSEKEEPING_S
from podwright.agent.metrics.kubelet import KubeletMetrics
from podwright.agent.node.machine import Machine
from podwright.agent.objects.none import NoObjects
from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.runtime.protocol import CriImages, CriRuntime
from podwright.agent.runtime.watch import RuntimeWatch
from podwright.process import ProcessRunner


class Dependencies(msgspec.Struct, frozen=True, kw_only=True):
    """`watch` has had its first answer. `objects` and `services` are for an agent without an API server.

    `runtime` shows the agent's own pods, `whole_runtime` also those of others, whose images must stay.
    """

    runtime: CriRuntime
    whole_runtime: CriRuntime
    images: CriImages
    watch: RuntimeWatch
    machine: Machine
    node_name: str
    clock: Clock
    runner: ProcessRunner
    servers: ApiServers | None = None  # the API server to join
    objects: ObjectGetter = msgspec.field(default_factory=NoObjects)
    services: Services = msgspec.field(default_factory=NoServices)
    cgroup_driver: str  # `cgroupfs` or `systemd`
    endpoint: str = ""  # of the runtime
    housekeeping_s: float = HOUSEKEEPING_S
    has_plugins: bool = True  # whether plug-ins may register; not with `podwright run`
    is_own: Callable[[str], bool] = lambda _: True  # whether the pod with this UID belongs to this agent
    metrics: KubeletMetrics = msgspec.field(default_factory=KubeletMetrics)
