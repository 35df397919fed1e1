"""The form of a kubeconfig (client.authentication and clientcmd/api/v1). Field names are the file's."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from podwright.k8s.objects.base import ApiObject, Kind

API_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class NamedExtension(ApiObject, frozen=True, kw_only=True):
    """What other programs keep in the file."""

    name: str = ""
    extension: Any = None


class KubeconfigCluster(ApiObject, frozen=True, kw_only=True, rename="kebab"):
    """How to reach a server, and how to know it."""

    server: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    certificate_authority: str = ""
    certificate_authority_data: bytes = b""
    proxy_url: str = ""
    disable_compression: bool = False
    extensions: tuple[NamedExtension, ...] = ()


class ExecEnv(ApiObject, frozen=True, kw_only=True):
    """One variable of a plug-in's environment."""

    name: str
    value: str = ""


class ExecConfig(ApiObject, frozen=True, kw_only=True):
    """A program that gives credentials."""

    command: str
    args: tuple[str, ...] = ()
    env: tuple[ExecEnv, ...] = ()
    api_version: str = ""
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = "IfAvailable"


class KubeUser(ApiObject, frozen=True, kw_only=True, rename="kebab"):
    """Credentials. `AuthInfo` in clientcmd."""

    client_certificate: str = ""
    client_certificate_data: bytes = b""
    client_key: str = ""
    client_key_data: bytes = b""
    token: str = ""
    token_file: str = field(default="", name="tokenFile")
    username: str = ""
    password: str = ""
    exec: ExecConfig | None = None
    auth_provider: Any = None
    impersonate: str = field(default="", name="as")
    impersonate_uid: str = field(default="", name="as-uid")
    impersonate_groups: tuple[str, ...] = field(default=(), name="as-groups")
    impersonate_extra: dict[str, tuple[str, ...]] = field(default_factory=dict, name="as-user-extra")
    extensions: tuple[NamedExtension, ...] = ()


class Context(ApiObject, frozen=True, kw_only=True):
    """A cluster and a user."""

    cluster: str = ""
    user: str = ""
    namespace: str = ""
    extensions: tuple[NamedExtension, ...] = ()


class NamedCluster(ApiObject, frozen=True, kw_only=True):
    """A cluster with its name in the file."""

    name: str
    cluster: KubeconfigCluster = KubeconfigCluster()


class NamedUser(ApiObject, frozen=True, kw_only=True):
    """A user with its name in the file."""

    name: str
    user: KubeUser = KubeUser()


class NamedContext(ApiObject, frozen=True, kw_only=True):
    """A context with its name in the file."""

    name: str
    context: Context = Context()


class KubeConfig(Kind, frozen=True, kw_only=True):
    """A file."""

    API_VERSION: ClassVar[str] = "v1"

    clusters: tuple[NamedCluster, ...] = ()
    users: tuple[NamedUser, ...] = ()
    contexts: tuple[NamedContext, ...] = ()
    current_context: str = field(default="", name="current-context")
    preferences: Any = None
    extensions: tuple[NamedExtension, ...] = ()


class ExecClusterInfo(ApiObject, frozen=True, kw_only=True, rename="kebab"):
    """What a plug-in gets about the cluster (`provideClusterInfo`)."""

    server: str = ""
    tls_server_name: str = ""
    insecure_skip_tls_verify: bool = False
    certificate_authority_data: bytes = b""
    proxy_url: str = ""
    config: Any = None


class ExecStatus(ApiObject, frozen=True, kw_only=True):
    """What a plug-in answers."""

    expiration_timestamp: str = ""
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""


class ExecCredential(ApiObject, frozen=True, kw_only=True):
    """A plug-in's output."""

    kind: str = ""
    api_version: str = ""
    status: ExecStatus | None = None
