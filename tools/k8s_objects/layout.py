"""The types to generate: the kinds by API version, and the module of every type. Modules come in import order."""

from __future__ import annotations

# Each kind carries its apiVersion; `<Kind>List` comes with those in LISTED.
KINDS: dict[str, str] = {
    "v1": (
        "Pod Node Event ConfigMap Secret Service PersistentVolume PersistentVolumeClaim ServiceAccount PodTemplate "
        "Status DeleteOptions"
    ),
    "apps/v1": "Deployment DaemonSet StatefulSet ReplicaSet",
    "batch/v1": "Job CronJob",
    "coordination.k8s.io/v1": "Lease",
    "node.k8s.io/v1": "RuntimeClass",
    "storage.k8s.io/v1": "CSIDriver CSINode VolumeAttachment",
    "authentication.k8s.io/v1": "TokenRequest TokenReview",
    "authorization.k8s.io/v1": "SubjectAccessReview",
    "certificates.k8s.io/v1": "CertificateSigningRequest ClusterTrustBundle PodCertificateRequest",
}
LISTED = (
    "Pod Node Event ConfigMap Secret Service PersistentVolume PersistentVolumeClaim Lease RuntimeClass "
    "CSIDriver CertificateSigningRequest ClusterTrustBundle PodCertificateRequest"
)

MODULES: dict[str, str] = {
    "meta": (
        "OwnerReference ManagedFieldsEntry ObjectMeta ShardInfo ListMeta LabelSelectorRequirement LabelSelector "
        "Condition Preconditions DeleteOptions StatusCause StatusDetails Status"
    ),
    "references": (
        "LocalObjectReference ObjectReference SecretReference TypedLocalObjectReference TypedObjectReference "
        "ObjectFieldSelector ResourceFieldSelector"
    ),
    "security": (
        "Capabilities SELinuxOptions SeccompProfile AppArmorProfile Sysctl WindowsSecurityContextOptions "
        "SecurityContext PodSecurityContext"
    ),
    "scheduling": (
        "NodeSelectorRequirement NodeSelectorTerm NodeSelector PreferredSchedulingTerm NodeAffinity PodAffinityTerm "
        "WeightedPodAffinityTerm PodAffinity PodAntiAffinity Affinity Toleration Taint TopologySpreadConstraint "
        "PodSchedulingGate PodSchedulingGroup Scheduling VolumeNodeAffinity"
    ),
    "handlers": (
        "HTTPHeader ExecAction HTTPGetAction TCPSocketAction GRPCAction SleepAction LifecycleHandler Lifecycle Probe"
    ),
    "environment": (
        "ConfigMapKeySelector SecretKeySelector FileKeySelector EnvVarSource EnvVar ConfigMapEnvSource "
        "SecretEnvSource EnvFromSource"
    ),
    "container": (
        "ContainerPort ResourceClaim ResourceRequirements VolumeMount VolumeDevice ContainerResizePolicy "
        "ContainerRestartRuleOnExitCodes ContainerRestartRule Container EphemeralContainer"
    ),
    "disks": (
        "AWSElasticBlockStoreVolumeSource AzureDiskVolumeSource AzureFileVolumeSource CephFSVolumeSource "
        "CinderVolumeSource CSIVolumeSource FCVolumeSource FlexVolumeSource FlockerVolumeSource "
        "GCEPersistentDiskVolumeSource GitRepoVolumeSource GlusterfsVolumeSource HostPathVolumeSource "
        "ISCSIVolumeSource NFSVolumeSource PhotonPersistentDiskVolumeSource PortworxVolumeSource "
        "QuobyteVolumeSource RBDVolumeSource ScaleIOVolumeSource StorageOSVolumeSource "
        "VsphereVirtualDiskVolumeSource"
    ),
    "persistent_volume": (
        "AzureFilePersistentVolumeSource CephFSPersistentVolumeSource CinderPersistentVolumeSource "
        "CSIPersistentVolumeSource FlexPersistentVolumeSource GlusterfsPersistentVolumeSource "
        "ISCSIPersistentVolumeSource LocalVolumeSource RBDPersistentVolumeSource ScaleIOPersistentVolumeSource "
        "StorageOSPersistentVolumeSource PersistentVolumeSpec PersistentVolumeStatus PersistentVolume "
        "PersistentVolumeList"
    ),
    "persistent_volume_claim": (
        "VolumeResourceRequirements PersistentVolumeClaimSpec PersistentVolumeClaimTemplate ModifyVolumeStatus "
        "PersistentVolumeClaimCondition VolumeHealthCondition VolumeHealthStatus PersistentVolumeClaimStatus "
        "PersistentVolumeClaim PersistentVolumeClaimList"
    ),
    "volume": (
        "KeyToPath ConfigMapVolumeSource SecretVolumeSource DownwardAPIVolumeFile DownwardAPIVolumeSource "
        "ConfigMapProjection SecretProjection DownwardAPIProjection ServiceAccountTokenProjection "
        "ClusterTrustBundleProjection PodCertificateProjection VolumeProjection ProjectedVolumeSource "
        "EmptyDirVolumeSource EphemeralVolumeSource ImageVolumeSource PersistentVolumeClaimVolumeSource Volume"
    ),
    "pod_status": (
        "ContainerStateRunning ContainerStateTerminated ContainerStateWaiting ContainerState LinuxContainerUser "
        "ContainerUser ImageVolumeStatus VolumeStatus VolumeMountStatus ResourceHealth ResourceStatus ContainerStatus "
        "HostIP PodIP PodCondition PodResourceClaimStatus ContainerExtendedResourceRequest "
        "PodExtendedResourceClaimStatus NodeAllocatableMappedResources NodeAllocatableOverheadResources "
        "NodeAllocatableResourceClaimStatus PodVolumeHealth PodStatus"
    ),
    "pod": (
        "HostAlias PodDNSConfigOption PodDNSConfig PodOS PodReadinessGate PodResourceClaim EvictionResponder PodSpec "
        "Pod PodList PodTemplateSpec PodTemplate"
    ),
    "node": (
        "NodePodPreemptionPolicy ConfigMapNodeConfigSource NodeConfigSource NodeSpec NodeAddress NodeCondition "
        "ContainerImage AttachedVolume DaemonEndpoint NodeDaemonEndpoints NodeConfigStatus NodeFeatures "
        "NodeRuntimeHandlerFeatures NodeRuntimeHandler NodeSwapStatus NodeSystemInfo NodeStatus Node NodeList"
    ),
    "event": "EventSource EventSeries Event EventList",
    "config": "ConfigMap ConfigMapList Secret SecretList",
    "service": (
        "ServicePort ClientIPConfig SessionAffinityConfig ServiceSpec PortStatus LoadBalancerIngress "
        "LoadBalancerStatus ServiceStatus Service ServiceList"
    ),
    "coordination": "LeaseSpec Lease LeaseList",
    "runtime_class": "Overhead RuntimeClass RuntimeClassList",
    "storage": (
        "StorageTokenRequest CSIDriverSpec CSIDriver CSIDriverList VolumeNodeResources CSINodeDriver CSINodeSpec "
        "StorageHealthCondition StorageHealth CSINodeStatus CSINode VolumeError VolumeAttachmentSource "
        "VolumeAttachmentSpec VolumeAttachmentStatus VolumeAttachment"
    ),
    "apps": (
        "RollingUpdateDeployment DeploymentStrategy DeploymentSpec DeploymentCondition DeploymentStatus Deployment "
        "RollingUpdateDaemonSet DaemonSetUpdateStrategy DaemonSetSpec DaemonSetCondition DaemonSetStatus DaemonSet "
        "RollingUpdateStatefulSetStrategy StatefulSetUpdateStrategy StatefulSetOrdinals "
        "StatefulSetPersistentVolumeClaimRetentionPolicy StatefulSetSpec StatefulSetCondition StatefulSetStatus "
        "StatefulSet ReplicaSetSpec ReplicaSetCondition ReplicaSetStatus ReplicaSet"
    ),
    "batch": (
        "PodFailurePolicyOnExitCodesRequirement PodFailurePolicyOnPodConditionsPattern PodFailurePolicyRule "
        "PodFailurePolicy SuccessPolicyRule SuccessPolicy TopologyConstraint WorkloadPodGroupDisruptionMode "
        "WorkloadPodGroupGangSchedulingPolicy WorkloadPodGroupResourceClaim WorkloadPodGroupSchedulingConstraints "
        "WorkloadPodGroupSchedulingPolicy JobSchedulingConfiguration JobSpec JobCondition UncountedTerminatedPods "
        "JobStatus Job JobTemplateSpec CronJobSpec CronJobStatus CronJob"
    ),
    "authentication": (
        "BoundObjectReference TokenRequestSpec TokenRequestStatus TokenRequest UserInfo TokenReviewSpec "
        "TokenReviewStatus TokenReview ServiceAccount"
    ),
    "authorization": (
        "FieldSelectorRequirement FieldSelectorAttributes LabelSelectorAttributes NonResourceAttributes "
        "ResourceAttributes SubjectAccessReviewSpec SubjectAccessReviewStatus SubjectAccessReview"
    ),
    "certificates": (
        "CertificateSigningRequestSpec CertificateSigningRequestCondition CertificateSigningRequestStatus "
        "CertificateSigningRequest CertificateSigningRequestList ClusterTrustBundleSpec ClusterTrustBundle "
        "ClusterTrustBundleList PodCertificateRequestSpec PodCertificateRequestStatus PodCertificateRequest "
        "PodCertificateRequestList"
    ),
}

# Fields of metav1.MicroTime: the API server wants six digits of a second.
MICRO_TIMES = frozenset(
    {"LeaseSpec.acquireTime", "LeaseSpec.renewTime", "Event.eventTime", "EventSeries.lastObservedTime"}
)
# Fields of resource.Quantity, by their name in whatever type.
QUANTITIES = frozenset(
    {"limits", "requests", "capacity", "allocatable", "divisor", "sizeLimit", "podFixed", "overhead"}
    | {"allocatedResources", "resources"}
)

# Fields that the API has and the package lacks: "Type.wireName" to (attribute, annotation, default), each with its
# reason. The package of 1.37 lacks none that the agent of 1.36 needs.
ADDED: dict[str, tuple[str, str, str]] = {}
