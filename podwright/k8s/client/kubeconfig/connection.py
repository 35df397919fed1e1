"""A context to an endpoint and credentials. The same from inside a pod."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from podwright.addresses import host_port
from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.k8s.client.dialing import PORTS
from podwright.k8s.client.endpoint import Credentials, Endpoint
from podwright.k8s.client.kubeconfig.exec_plugin import ExecCredentials
from podwright.k8s.client.kubeconfig.files import Merged, paths_of, read_all, read_file
from podwright.k8s.client.kubeconfig.model import (
    API_VERSIONS,
    ExecClusterInfo,
    ExecConfig,
    KubeconfigCluster,
    KubeUser,
)
from podwright.k8s.client.kubeconfig.user import UserCredentials
from podwright.process import ProcessRunner

T = TypeVar("T")

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
EXEC_EXTENSION = "client.authentication.k8s.io/exec"
_UNSUPPORTED = {
    "auth-provider": "kubectl has dropped it; use an exec plug-in",
    "as": "impersonation is not supported here",
    "as-uid": "impersonation is not supported here",
    "as-groups": "impersonation is not supported here",
    "as-user-extra": "impersonation is not supported here",
}


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """What a client needs. `namespace` is the context's ("default" where it has none)."""

    endpoint: Endpoint
    credentials: Credentials
    namespace: str


def load(paths: Sequence[str], runner: ProcessRunner, *, context: str = "") -> Connection:
    """The context (empty: the current one) of these files. Raises FailedPrecondition and InvalidArgument."""
    merged = read_all(paths)
    name = context or merged.current_context
    if name not in merged.contexts:
        raise InvalidArgument(
            f"kubeconfig {', '.join(merged.files)}: there is no context {name!r}",
            hint=f"those there are: {', '.join(merged.contexts) or 'none'}",
        )
    file, chosen = merged.contexts[name]
    where, cluster = _named(merged, merged.clusters, chosen.cluster, f"{file}: context {name!r}: cluster")
    owner, user = file, KubeUser()
    if chosen.user:
        owner, user = _named(merged, merged.users, chosen.user, f"{file}: context {name!r}: user")
    endpoint = _endpoint(cluster, f"kubeconfig {where}: cluster {chosen.cluster!r}")
    credentials = _credentials(user, f"kubeconfig {owner}: user {chosen.user!r}", cluster, endpoint, runner)
    return Connection(endpoint=endpoint, credentials=credentials, namespace=chosen.namespace or "default")


def load_environment(environ: Mapping[str, str], runner: ProcessRunner, *, context: str = "") -> Connection:
    """$KUBECONFIG or ~/.kube/config. Inside a pod that has neither, its service account."""
    paths = paths_of(environ)
    if not environ.get("KUBECONFIG") and not os.path.exists(paths[0]) and environ.get("KUBERNETES_SERVICE_HOST"):
        return in_cluster(environ)
    return load(paths, runner, context=context)


def in_cluster(environ: Mapping[str, str], folder: str = ACCOUNT) -> Connection:
    """As a pod's service account. Raises FailedPrecondition when this is no pod, or it has no token."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        names = "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT"
        raise FailedPrecondition(f"{names} are not set: this is not a pod of a cluster")
    where = f"service account {folder}"
    netloc = host_port(host, port)
    authorities = read_file(f"{folder}/ca.crt", f"{where}: ca.crt")
    credentials = UserCredentials(KubeUser(token_file=f"{folder}/token"), where)
    namespace = ""
    if os.path.exists(f"{folder}/namespace"):
        namespace = read_file(f"{folder}/namespace", f"{where}: namespace").decode().strip()
    endpoint = Endpoint(url=f"https://{netloc}", authorities=authorities)
    return Connection(endpoint=endpoint, credentials=credentials, namespace=namespace or "default")


def _named(merged: Merged, known: Mapping[str, tuple[str, T]], name: str, where: str) -> tuple[str, T]:
    if name not in known:
        raise InvalidArgument(f"kubeconfig {where} {name!r} is not in {', '.join(merged.files)}")
    return known[name]


def _endpoint(cluster: KubeconfigCluster, where: str) -> Endpoint:
    _check_url(cluster.server, f"{where}: server")
    if cluster.proxy_url:
        _check_url(cluster.proxy_url, f"{where}: proxy-url")
    if "@" in urlsplit(cluster.server).netloc:
        raise InvalidArgument(
            f"{where}: server: a URL with a login cannot be used", hint="a login is part of the user"
        )
    if cluster.tls_server_name and not _is_host(cluster.tls_server_name):
        raise InvalidArgument(f"{where}: tls-server-name: {cluster.tls_server_name!r} is not the name of a host")
    authorities = cluster.certificate_authority_data
    if not authorities and cluster.certificate_authority:
        authorities = read_file(cluster.certificate_authority, f"{where}: certificate-authority")
    if authorities and cluster.insecure_skip_tls_verify:
        raise InvalidArgument(f"{where}: insecure-skip-tls-verify and a certificate authority exclude each other")
    return Endpoint(
        url=cluster.server,
        authorities=authorities,
        server_name=cluster.tls_server_name,
        insecure=cluster.insecure_skip_tls_verify,
        proxy_url=cluster.proxy_url,
    )


def _check_url(url: str, where: str) -> None:
    """Raises InvalidArgument, which shows no login."""
    if not _is_url(url):
        shown = url.rpartition("@")[2]
        hint = "such as https://10.0.0.1:6443"
        raise InvalidArgument(f"{where}: {shown!r} is not an http:// or https:// URL", hint=hint)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_complete = parts.scheme in PORTS and parts.port != 0 and _is_host(parts.hostname or "")
    except ValueError:  # an invalid IPv6 address or port
        return False
    return is_complete and text.isascii() and text.isprintable() and " " not in text


def _is_host(name: str) -> bool:
    try:
        return name.isprintable() and bool(name.encode("idna"))
    except UnicodeError:  # an empty label, or a long one
        return False


def _credentials(
    user: KubeUser, where: str, cluster: KubeconfigCluster, endpoint: Endpoint, runner: ProcessRunner
) -> Credentials:
    given = {
        "auth-provider": user.auth_provider is not None,
        "as": bool(user.impersonate),
        "as-uid": bool(user.impersonate_uid),
        "as-groups": bool(user.impersonate_groups),
        "as-user-extra": bool(user.impersonate_extra),
    }
    for name, is_given in given.items():
        if is_given:
            raise InvalidArgument(f"{where}: {name} cannot be used", hint=_UNSUPPORTED[name])
    if user.exec is None:
        return UserCredentials(user, where)
    _check_exec(user.exec, f"{where}: exec")
    info = _cluster_info(cluster, endpoint) if user.exec.provide_cluster_info else None
    return ExecCredentials(user.exec, info, f"{where}: exec {user.exec.command}", runner)


def _check_exec(program: ExecConfig, where: str) -> None:
    if program.api_version not in API_VERSIONS:
        hint = f"one of {', '.join(API_VERSIONS)}"
        raise InvalidArgument(f"{where}: apiVersion: {program.api_version!r} is not supported", hint=hint)
    if program.interactive_mode == "Always":
        raise InvalidArgument(f"{where}: interactiveMode: Always cannot work here, where nobody can be asked")
    if program.interactive_mode not in ("Never", "IfAvailable"):
        hint = "one of Never, IfAvailable, Always"
        raise InvalidArgument(f"{where}: interactiveMode: there is no {program.interactive_mode!r}", hint=hint)


def _cluster_info(cluster: KubeconfigCluster, endpoint: Endpoint) -> ExecClusterInfo:
    config = next((item.extension for item in cluster.extensions if item.name == EXEC_EXTENSION), None)
    return ExecClusterInfo(
        server=cluster.server,
        tls_server_name=cluster.tls_server_name,
        insecure_skip_tls_verify=cluster.insecure_skip_tls_verify,
        certificate_authority_data=endpoint.authorities,
        proxy_url=cluster.proxy_url,
        config=config,
    )
