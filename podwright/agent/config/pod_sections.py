"""The parts of AgentConfig about pods: their sources, their runtime, and what they see."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podwright.agent.config.structure import either, mapping, plain, seconds, size_bytes, texts


class SourceSection(msgspec.Struct, frozen=True, kw_only=True):
    """The sources of pods besides the API."""

    static_pod_path: str = plain("staticPodPath")
    static_pod_url: str = plain("staticPodURL")
    static_pod_url_headers: Mapping[str, tuple[str, ...]] = mapping("staticPodURLHeader")
    file_check_frequency_s: float = seconds("fileCheckFrequency")
    http_check_frequency_s: float = seconds("httpCheckFrequency")


class RuntimeSection(msgspec.Struct, frozen=True, kw_only=True):
    """The CRI server. `embedded` starts one of our own. An empty `image_endpoint` means `endpoint`."""

    endpoint: str = plain("containerRuntimeEndpoint")
    image_endpoint: str = plain("imageServiceEndpoint")
    request_timeout_s: float = seconds("runtimeRequestTimeout")
    cgroups: str = plain("--runtime-cgroups")
    embedded: bool = plain("--embedded")


class PodSection(msgspec.Struct, frozen=True, kw_only=True):
    """The loop, and settings for every pod. `max_pid_count` -1 means no limit."""

    sync_frequency_s: float = seconds("syncFrequency")
    max_pods: int = plain("maxPods")
    pods_per_core: int = plain("podsPerCore")
    max_pid_count: int = plain("podPidsLimit")
    max_restart_back_off_s: float | None = seconds("crashLoopBackOff.maxContainerRestartPeriod")
    seccomp_default: bool = either("seccompDefault", "--seccomp-default")
    allowed_unsafe_sysctls: tuple[str, ...] = texts("allowedUnsafeSysctls")
    user_namespace_ids: int | None = plain("userNamespaces.idsPerPod")


class DeadContainerSection(msgspec.Struct, frozen=True, kw_only=True):
    """How many ended containers are kept. `total` -1 means no limit."""

    per_container: int = plain("--maximum-dead-containers-per-container")
    total: int = plain("--maximum-dead-containers")
    min_age_s: float = seconds("--minimum-container-ttl-duration")


class ImageSection(msgspec.Struct, frozen=True, kw_only=True):
    """Pulls and removal of images. `pull_qps` and `max_age_s` 0, `max_parallel_pulls` None: no limit."""

    pull_qps: int = plain("registryPullQPS")
    pull_burst: int = plain("registryBurst")
    serialize_pulls: bool = plain("serializeImagePulls")
    max_parallel_pulls: int | None = plain("maxParallelImagePulls")
    min_age_s: float = seconds("imageMinimumGCAge")
    max_age_s: float = seconds("imageMaximumGCAge")
    gc_high_threshold_percent: int = plain("imageGCHighThresholdPercent")
    gc_low_threshold_percent: int = plain("imageGCLowThresholdPercent")
    credential_provider_config: str = plain("--image-credential-provider-config")
    credential_provider_bin_dir: str = plain("--image-credential-provider-bin-dir")
    credentials_verification: str = plain("imagePullCredentialsVerificationPolicy")
    preloaded_allowlist: tuple[str, ...] = texts("preloadedImagesVerificationAllowlist")


class ContainerLogSection(msgspec.Struct, frozen=True, kw_only=True):
    """The directory and the rotation of containers' logs."""

    root: str = plain("podLogsDir")
    max_size_bytes: int = size_bytes("containerLogMaxSize")
    max_files: int = plain("containerLogMaxFiles")
    max_workers: int = plain("containerLogMaxWorkers")
    check_period_s: float = seconds("containerLogMonitorInterval")


class NetworkSection(msgspec.Struct, frozen=True, kw_only=True):
    """Names and addresses inside pods."""

    cluster_domain: str = plain("clusterDomain")
    cluster_dns: tuple[str, ...] = texts("clusterDNS")
    resolver_config: str = plain("resolvConf")


class VolumeSection(msgspec.Struct, frozen=True, kw_only=True):
    """Volumes and their plug-ins."""

    stats_period_s: float = seconds("volumeStatsAggPeriod")
