"""Facts of Go's types that the models lack: which optional fields are values and which are pointers.

A value that is absent is its zero value: "", 0, False, an empty struct. A pointer that is absent is None, and differs
from one that points to a zero. Read from k8s.io/api 1.36; a field that is newer and not listed is a pointer, but a
string is a value.
"""

from __future__ import annotations


def _table(text: str) -> frozenset[str]:
    """`Type: field field` a line, as a set of `Type.field`."""
    rows = (line.partition(":") for line in text.strip().splitlines())
    return frozenset(f"{name.strip()}.{field}" for name, _, fields in rows for field in fields.split())


# Optional strings that may be absent beside being empty.
POINTER_STRINGS = _table(
    """
    AppArmorProfile: localhostProfile
    AzureDiskVolumeSource: cachingMode fsType kind
    AzureFilePersistentVolumeSource: secretNamespace
    CSIVolumeSource: fsType
    ClusterTrustBundleProjection: name signerName
    Container: restartPolicy
    ContainerStatus: stopSignal
    CronJobSpec: timeZone
    DeleteOptions: propagationPolicy
    EmptyDirVolumeSource: sizeLimit
    EphemeralContainer: restartPolicy
    GRPCAction: service
    GlusterfsPersistentVolumeSource: endpointsNamespace
    HostPathVolumeSource: type
    ISCSIPersistentVolumeSource: initiatorName
    ISCSIVolumeSource: initiatorName
    JobSpec: completionMode managedBy podReplacementPolicy
    JobStatus: failedIndexes
    LeaseSpec: holderIdentity preferredHolder strategy
    Lifecycle: stopSignal
    LoadBalancerIngress: ipMode
    LocalVolumeSource: fsType
    PersistentVolumeClaimSpec: storageClassName volumeAttributesClassName volumeMode
    PersistentVolumeClaimStatus: currentVolumeAttributesClassName
    PersistentVolumeSpec: volumeAttributesClassName volumeMode
    PodDNSConfigOption: value
    PodFailurePolicyOnExitCodesRequirement: containerName
    PodResourceClaim: resourceClaimName resourceClaimTemplateName
    PodResourceClaimStatus: resourceClaimName
    PodSchedulingGroup: podGroupName
    PodSecurityContext: fsGroupChangePolicy seLinuxChangePolicy supplementalGroupsPolicy
    PodSpec: hostnameOverride preemptionPolicy runtimeClassName
    PortStatus: error
    Preconditions: uid
    ResourceHealth: message
    SeccompProfile: localhostProfile
    SecurityContext: procMount
    ServicePort: appProtocol
    ServiceSpec: internalTrafficPolicy ipFamilyPolicy loadBalancerClass trafficDistribution
    SuccessPolicyRule: succeededIndexes
    TopologySpreadConstraint: nodeAffinityPolicy nodeTaintsPolicy
    TypedLocalObjectReference: apiGroup
    TypedObjectReference: apiGroup namespace
    VolumeMount: mountPropagation recursiveReadOnly
    VolumeMountStatus: recursiveReadOnly
    WindowsSecurityContextOptions: gmsaCredentialSpec gmsaCredentialSpecName runAsUserName
    """
)

# Optional numbers and booleans for which absent and zero are the same.
VALUE_SCALARS = _table(
    """
    AWSElasticBlockStoreVolumeSource: partition readOnly
    AzureFilePersistentVolumeSource: readOnly
    AzureFileVolumeSource: readOnly
    CSIPersistentVolumeSource: readOnly
    CephFSPersistentVolumeSource: readOnly
    CephFSVolumeSource: readOnly
    CinderPersistentVolumeSource: readOnly
    CinderVolumeSource: readOnly
    Condition: observedGeneration
    Container: stdin stdinOnce tty
    ContainerImage: sizeBytes
    ContainerPort: hostPort
    ContainerStateTerminated: signal
    DaemonSetSpec: minReadySeconds
    DaemonSetStatus: numberAvailable numberUnavailable observedGeneration updatedNumberScheduled
    DeploymentSpec: minReadySeconds paused
    DeploymentStatus: availableReplicas observedGeneration readyReplicas replicas unavailableReplicas updatedReplicas
    EphemeralContainer: stdin stdinOnce tty
    Event: count
    EventSeries: count
    FCVolumeSource: readOnly
    FlexPersistentVolumeSource: readOnly
    FlexVolumeSource: readOnly
    GCEPersistentDiskVolumeSource: partition readOnly
    GlusterfsPersistentVolumeSource: readOnly
    GlusterfsVolumeSource: readOnly
    ISCSIPersistentVolumeSource: chapAuthDiscovery chapAuthSession readOnly
    ISCSIVolumeSource: chapAuthDiscovery chapAuthSession readOnly
    JobStatus: active failed succeeded
    NFSVolumeSource: readOnly
    NodeSpec: unschedulable
    ObjectMeta: generation
    PersistentVolumeClaimVolumeSource: readOnly
    PodCondition: observedGeneration
    PodSpec: hostIPC hostNetwork hostPID
    PodStatus: observedGeneration
    PortworxVolumeSource: readOnly
    Probe: failureThreshold initialDelaySeconds periodSeconds successThreshold timeoutSeconds
    QuobyteVolumeSource: readOnly
    RBDPersistentVolumeSource: readOnly
    RBDVolumeSource: readOnly
    ReplicaSetSpec: minReadySeconds
    ReplicaSetStatus: availableReplicas fullyLabeledReplicas observedGeneration readyReplicas
    ScaleIOPersistentVolumeSource: readOnly sslEnabled
    ScaleIOVolumeSource: readOnly sslEnabled
    ServicePort: nodePort
    ServiceSpec: healthCheckNodePort publishNotReadyAddresses
    StatefulSetOrdinals: start
    StatefulSetSpec: minReadySeconds
    StatefulSetStatus: availableReplicas currentReplicas observedGeneration readyReplicas updatedReplicas
    Status: code
    StatusDetails: retryAfterSeconds
    StorageOSPersistentVolumeSource: readOnly
    StorageOSVolumeSource: readOnly
    SubjectAccessReviewStatus: denied
    TokenReviewStatus: authenticated
    VolumeMount: readOnly
    VolumeMountStatus: readOnly
    """
)

# Structs that are always there, empty if need be. `metadata` is, in every type.
VALUE_STRUCTS = _table(
    """
    CertificateSigningRequest: status
    Container: resources
    ContainerStatus: lastState state
    CronJob: status
    DaemonSet: status
    DaemonSetSpec: updateStrategy
    Deployment: status
    DeploymentSpec: strategy
    EphemeralContainer: resources
    Event: source
    Job: status
    Lease: spec
    Node: spec status
    NodeStatus: daemonEndpoints
    PersistentVolume: spec status
    PersistentVolumeClaim: spec status
    PersistentVolumeClaimSpec: resources
    Pod: status
    PodCertificateRequest: status
    ReplicaSet: status
    Service: spec status
    ServiceStatus: loadBalancer
    StatefulSet: status
    StatefulSetSpec: updateStrategy
    SubjectAccessReview: status
    TokenRequest: status
    TokenReview: status
    TokenReviewStatus: user
    """
)

# Structs that Go holds as values and that are no use when they are empty: an object without one is refused.
REQUIRED_STRUCTS = _table(
    """
    Pod: spec
    TokenRequest: spec
    PodTemplateSpec: spec
    Job: spec
    JobTemplateSpec: spec
    PodTemplate: template
    ReplicaSetSpec: template
    Deployment: spec
    DaemonSet: spec
    StatefulSet: spec
    ReplicaSet: spec
    CronJob: spec
    """
)
