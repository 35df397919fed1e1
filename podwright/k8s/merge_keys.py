"""What tells the items of a list apart: `patchMergeKey` of k8s.io/api 1.36, by type and field.

A strategic merge patch matches items by it. Lists that are not named here are replaced as a whole.
"""

from __future__ import annotations

_TABLE = """
    Container: ports=containerPort env=name volumeMounts=mountPath volumeDevices=devicePath
    EphemeralContainer: ports=containerPort env=name volumeMounts=mountPath volumeDevices=devicePath
    ContainerStatus: volumeMounts=mountPath allocatedResourcesStatus=name
    PodSpec: volumes=name initContainers=name containers=name ephemeralContainers=name imagePullSecrets=name
    PodSpec: hostAliases=ip topologySpreadConstraints=topologyKey schedulingGates=name resourceClaims=name
    PodStatus: conditions=type hostIPs=ip podIPs=ip resourceClaimStatuses=name
    ObjectMeta: ownerReferences=uid
    NodeStatus: conditions=type addresses=type
    DaemonSetStatus: conditions=type
    DeploymentStatus: conditions=type
    JobStatus: conditions=type
    PersistentVolumeClaimStatus: conditions=type
    ReplicaSetStatus: conditions=type
    ServiceAccount: secrets=name
    ServiceSpec: ports=port
    ServiceStatus: conditions=type
    StatefulSetStatus: conditions=type
"""

# (type, field on the wire) to the key.
PATCH_MERGE_KEYS: dict[tuple[str, str], str] = {
    (line.partition(":")[0].strip(), pair.partition("=")[0]): pair.partition("=")[2]
    for line in _TABLE.strip().splitlines()
    for pair in line.partition(":")[2].split()
}
