"""A kubeconfig to an endpoint and credentials, by its current context."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from podwright.errors import InvalidArgument
from podwright.k8s.client.dialing import PORTS
from podwright.k8s.client.endpoint import Credentials, Endpoint
from podwright.k8s.client.kubeconfig.exec_plugin import ExecCredentials
from podwright.k8s.client.kubeconfig.files import read, read_file
from podwright.k8s.client.kubeconfig.model import (
    API_VERSIONS,
    ExecClusterInfo,
    ExecConfig,
    KubeconfigCluster,
    KubeUser,
)
from podwright.k8s.client.kubeconfig.user import UserCredentials
from podwright.process import ProcessRunner

EXEC_EXTENSION = "client.authentication.k8s.io/exec"
_UNSUPPORTED = {
    "auth-provider": "kubectl has dropped it; use an exec plug-in",
    "as": "impersonation is not supported here",
    "as-uid": "impersonation is not supported here",
    "as-groups": "impersonation is not supported here",
    "as-user-extra": "impersonation is not supported here",
}


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """What a client needs."""

    endpoint: Endpoint
    credentials: Credentials


def load(path: str, runner: ProcessRunner) -> Connection:
    """The current context of a kubeconfig file. Raises FailedPrecondition and InvalidArgument."""
    config = read(path)
    contexts = {item.name: item.context for item in config.contexts}
    if config.current_context not in contexts:
        raise InvalidArgument(
            f"kubeconfig {path}: there is no context {config.current_context!r}",
            hint=f"those there are: {', '.join(contexts) or 'none'}",
        )
    context, where = contexts[config.current_context], f"kubeconfig {path}: context {config.current_context!r}"
    clusters = {item.name: item.cluster for item in config.clusters}
    if context.cluster not in clusters:
        raise InvalidArgument(f"{where}: there is no cluster {context.cluster!r}")
    users = {"": KubeUser(), **{item.name: item.user for item in config.users}}
    if context.user not in users:
        raise InvalidArgument(f"{where}: there is no user {context.user!r}")
    cluster, user = clusters[context.cluster], users[context.user]
    endpoint = _endpoint(cluster, f"kubeconfig {path}: cluster {context.cluster!r}")
    credentials = _credentials(user, f"kubeconfig {path}: user {context.user!r}", cluster, endpoint, runner)
    return Connection(endpoint=endpoint, credentials=credentials)


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
