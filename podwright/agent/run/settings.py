"""The configuration of a run's agent. Pure, except for the path of this machine's resolv.conf."""

from __future__ import annotations

from msgspec.structs import replace

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.node.machine import resolver_path
from podwright.agent.resources.id_range import IdRange

HOUSEKEEPING_S = 0.05  # short, because a person waits for the end
NO_IMAGE_GC_PERCENT = 100


def agent_config(root: str, log_root: str) -> AgentConfig:
    """The configuration: a kubelet's defaults, except for what a run leaves to others.

    Images stay: the node agent beside the run, or an administrator, removes them. A run may use every image. Pods get
    the runtime's own cgroup parent: the tree of QoS classes belongs to a node agent.
    """
    config = AgentConfig()
    return replace(
        config,
        process=replace(config.process, root_dir=root),
        container_logs=replace(config.container_logs, root=log_root),
        cgroups=replace(config.cgroups, per_qos=False),
        images=replace(
            config.images,
            gc_high_threshold_percent=NO_IMAGE_GC_PERCENT,
            max_age_s=0.0,
            serialize_pulls=False,
            max_parallel_pulls=None,
            pull_qps=0,
        ),
        network=replace(config.network, resolver_config=resolver_path(config.network.resolver_config)),
        feature_gates={**config.feature_gates, "KubeletEnsureSecretPulledImages": False},
    )


def id_range_of(run_id: str, ids: IdRange, max_pods: int) -> IdRange:
    """The part of `ids` for the pods of a run, so that concurrent runs rarely use the same ids.

    `run_id` is hexadecimal. A range with room for only one part is used as a whole.
    """
    parts = ids.pods // max_pods
    if parts < 2:
        return ids
    size = max_pods * ids.per_pod
    return replace(ids, first=ids.first + int(run_id, 16) % parts * size, count=size)
