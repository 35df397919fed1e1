"""The parts of AgentConfig that face the cluster: the node, the API, the servers, the process itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from podwright.agent.config.structure import addresses, mapping, plain, seconds, source, texts


class ConfiguredTaint(msgspec.Struct, frozen=True, kw_only=True):
    """A taint that the node registers with."""

    key: str
    value: str
    effect: str


def _taints(entries: tuple[dict[str, Any], ...] | None) -> tuple[ConfiguredTaint, ...]:
    keys = ("key", "value", "effect")
    return tuple(ConfiguredTaint(**{key: entry.get(key, "") for key in keys}) for entry in entries or ())


class NodeSection(msgspec.Struct, frozen=True, kw_only=True):
    """This node, as it registers and reports. An empty `hostname_override` means the host's own name."""

    hostname_override: str = plain("--hostname-override")
    ips: tuple[str, ...] = source("--node-ip", convert=addresses)
    labels: Mapping[str, str] = mapping("--node-labels")
    taints: tuple[ConfiguredTaint, ...] = source("registerWithTaints", convert=_taints)
    register: bool = plain("registerNode")
    provider_id: str = plain("providerID")
    pod_routes: bool = plain("--pod-routes")
    status_update_frequency_s: float = seconds("nodeStatusUpdateFrequency")
    status_report_frequency_s: float = seconds("nodeStatusReportFrequency")
    lease_duration_s: int = plain("nodeLeaseDurationSeconds")
    status_max_images: int = plain("nodeStatusMaxImages")


class ApiSection(msgspec.Struct, frozen=True, kw_only=True):
    """The API server. Without a `kubeconfig` there is none."""

    kubeconfig: str = plain("--kubeconfig")
    bootstrap_kubeconfig: str = plain("--bootstrap-kubeconfig")
    qps: int = plain("kubeAPIQPS")
    burst: int = plain("kubeAPIBurst")
    event_qps: int = plain("eventRecordQPS")
    event_burst: int = plain("eventBurst")


class ServerSection(msgspec.Struct, frozen=True, kw_only=True):
    """The servers: the authenticated one, the read-only one, and /healthz. A port of 0 is off."""

    enabled: bool = plain("enableServer")
    address: str = plain("address")
    port: int = plain("port")
    read_only_port: int = plain("readOnlyPort")
    healthz_address: str = plain("healthzBindAddress")
    healthz_port: int = plain("healthzPort")
    streaming_idle_timeout_s: float = seconds("streamingConnectionIdleTimeout")
    debugging_handlers: bool = plain("enableDebuggingHandlers")
    profiling_handler: bool = plain("enableProfilingHandler")
    debug_flags_handler: bool = plain("enableDebugFlagsHandler")
    system_log_handler: bool = plain("enableSystemLogHandler")
    system_log_query: bool = plain("enableSystemLogQuery")


class SecuritySection(msgspec.Struct, frozen=True, kw_only=True):
    """The certificates and the users of the servers."""

    cert_dir: str = plain("--cert-dir")
    tls_cert_file: str = plain("tlsCertFile")
    tls_key_file: str = plain("tlsPrivateKeyFile")
    tls_cipher_suites: tuple[str, ...] = texts("tlsCipherSuites")
    tls_min_version: str = plain("tlsMinVersion")
    rotate_client_certificate: bool = plain("rotateCertificates")
    server_tls_bootstrap: bool = plain("serverTLSBootstrap")
    client_ca_file: str = plain("authentication.x509.clientCAFile")
    anonymous: bool = plain("authentication.anonymous.enabled")
    token_webhook: bool = plain("authentication.webhook.enabled")
    token_cache_ttl_s: float = seconds("authentication.webhook.cacheTTL")
    authorization_mode: str = plain("authorization.mode")
    authorized_cache_ttl_s: float = seconds("authorization.webhook.cacheAuthorizedTTL")
    unauthorized_cache_ttl_s: float = seconds("authorization.webhook.cacheUnauthorizedTTL")


class ProcessSection(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's own process: its files, its log, its place on the host."""

    root_dir: str = source("--root-dir", convert=os.path.abspath)
    socket: str = plain("--agent-socket")
    lock_file: str = plain("--lock-file")
    exit_on_lock_contention: bool = plain("--exit-on-lock-contention")
    oom_score_adj: int = plain("oomScoreAdj")
    verbosity: int = plain("logging.verbosity")
