"""Chooses the certificate of the node's API: configured, signed by the cluster, or self-signed."""

from __future__ import annotations

from collections.abc import Iterable

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.server.auth import self_signed
from podwright.agent.server.auth.certificates import TlsFiles
from podwright.k8s.client.certificates.files import CertificateFiles

SERVER_PREFIX = "kubelet-server"


def asks_for_serving(config: AgentConfig, *, has_api: bool) -> bool:
    """Whether the cluster must sign the certificate (serverTLSBootstrap).

    A certificate of the configuration has priority.
    """
    security = config.security
    is_given = bool(security.tls_cert_file and security.tls_key_file)
    is_asked = security.server_tls_bootstrap and config.feature_gates["RotateKubeletServerCertificate"]
    return has_api and is_asked and not is_given


def tls_files(config: AgentConfig, node_name: str, addresses: Iterable[str], *, has_api: bool) -> TlsFiles:
    """The files. Raises FailedPrecondition if none can be made."""
    security = config.security
    certificate, key, client_ca = security.tls_cert_file, security.tls_key_file, security.client_ca_file
    if asks_for_serving(config, has_api=has_api):
        current = CertificateFiles(security.cert_dir, SERVER_PREFIX).current_path
        return TlsFiles(certificate=current, key=current, client_ca=client_ca, is_awaited=True)
    if not (certificate and key):
        certificate, key = self_signed.ensure(security.cert_dir, node_name, addresses)
    return TlsFiles(certificate=certificate, key=key, client_ca=client_ca)
