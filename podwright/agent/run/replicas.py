"""Expands Deployments, ReplicaSets, DaemonSets and StatefulSets to pods of one machine. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from podwright.agent.run.naming import generated_name, template_hash
from podwright.agent.run.pods import Owner, PodMaker, owner_of
from podwright.agent.run.workloads import OrderedPods, ParallelPods, Workload
from podwright.k8s.objects import (
    DaemonSet,
    Deployment,
    PersistentVolumeClaimVolumeSource,
    Pod,
    PodSpec,
    ReplicaSet,
    StatefulSet,
    Volume,
)

TEMPLATE_HASH = "pod-template-hash"
REVISION_HASH = "controller-revision-hash"
TEMPLATE_GENERATION = "pod-template-generation"
POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"


def expand_deployment(deployment: Deployment, maker: PodMaker) -> Workload:
    """The pods of a new Deployment's only ReplicaSet."""
    spec, hashed = deployment.spec, template_hash(deployment.spec.template)
    owner = owner_of(deployment, deployment.metadata)
    replica_set = Owner(
        api_version="apps/v1", kind="ReplicaSet", namespace=owner.namespace, name=f"{owner.name}-{hashed}"
    )
    members = tuple(
        maker.from_template(
            replica_set,
            spec.template,
            generated_name(f"{replica_set.name}-", index),
            labels={TEMPLATE_HASH: hashed},
        )
        for index in range(spec.replicas or 0)
    )
    return ParallelPods(owner=str(owner), members=members)


def expand_replica_set(replica_set: ReplicaSet, maker: PodMaker) -> Workload:
    """The pods of a ReplicaSet."""
    owner = owner_of(replica_set, replica_set.metadata)
    members = tuple(
        maker.from_template(owner, replica_set.spec.template, generated_name(f"{owner.name}-", index))
        for index in range(replica_set.spec.replicas or 0)
    )
    return ParallelPods(owner=str(owner), members=members)


def expand_daemon_set(daemon_set: DaemonSet, maker: PodMaker) -> Workload:
    """One pod: this machine is the only node."""
    owner, template = owner_of(daemon_set, daemon_set.metadata), daemon_set.spec.template
    labels = {REVISION_HASH: template_hash(template), TEMPLATE_GENERATION: "1"}
    name = generated_name(f"{owner.name}-", maker.node_name)
    return ParallelPods(owner=str(owner), members=(maker.from_template(owner, template, name, labels=labels),))


def expand_stateful_set(stateful_set: StatefulSet, maker: PodMaker) -> Workload:
    """Pods with stable names and their own claims, one after another unless they are managed in parallel."""
    spec, owner = stateful_set.spec, owner_of(stateful_set, stateful_set.metadata)
    first = spec.ordinals.start if spec.ordinals is not None else 0
    members = tuple(_stateful_pod(stateful_set, owner, first + index, maker) for index in range(spec.replicas or 0))
    if spec.pod_management_policy == "Parallel":
        return ParallelPods(owner=str(owner), members=members)
    return OrderedPods(owner=str(owner), members=members)


def claim_names(stateful_set: StatefulSet) -> list[str]:
    """The names of the claims of all its pods: TEMPLATE-SET-ORDINAL."""
    spec = stateful_set.spec
    first = spec.ordinals.start if spec.ordinals is not None else 0
    return [
        f"{claim.metadata.name}-{stateful_set.metadata.name}-{first + index}"
        for index in range(spec.replicas or 0)
        for claim in spec.volume_claim_templates
    ]


def _stateful_pod(stateful_set: StatefulSet, owner: Owner, ordinal: int, maker: PodMaker) -> Pod:
    template, name = stateful_set.spec.template, f"{owner.name}-{ordinal}"
    labels = {
        POD_NAME: name,
        POD_INDEX: str(ordinal),
        REVISION_HASH: f"{owner.name}-{template_hash(template)}",
    }
    spec = replace(
        with_claims(stateful_set, name),
        hostname=name,
        subdomain=stateful_set.spec.service_name or template.spec.subdomain,
    )
    return maker.from_template(owner, template, name, labels=labels, spec=spec)


def with_claims(stateful_set: StatefulSet, pod_name: str) -> PodSpec:
    """The template's spec with a volume for each claim template, which replaces a volume with the same name."""
    claims = {
        claim.metadata.name: Volume(
            name=claim.metadata.name,
            persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name=f"{claim.metadata.name}-{pod_name}"),
        )
        for claim in stateful_set.spec.volume_claim_templates
    }
    spec = stateful_set.spec.template.spec
    kept = tuple(volume for volume in spec.volumes if volume.name not in claims)
    return replace(spec, volumes=(*kept, *claims.values()))
