"""Service accounts, for credential providers that use a pod's identity (KEP-4412)."""

from __future__ import annotations

from typing import Protocol

import msgspec

from podwright.errors import Unavailable
from podwright.k8s.objects import Pod, ServiceAccount


class AccountSource(msgspec.Struct, frozen=True, kw_only=True):
    """The service account whose token was exchanged for credentials."""

    uid: str
    namespace: str
    name: str


class ServiceAccounts(Protocol):
    """The API's service accounts. Both calls raise PodwrightError."""

    async def account(self, namespace: str, name: str) -> ServiceAccount:
        """The account as it is now."""

    async def account_token(self, pod: Pod, audience: str) -> str:
        """A token of the pod's account for an audience, bound to the pod."""


class NoAccounts:
    """`ServiceAccounts` of an agent without an API server."""

    async def account(self, namespace: str, name: str) -> ServiceAccount:
        raise Unavailable(f"service account {namespace}/{name} needs an API server", hint="give --kubeconfig")

    async def account_token(self, pod: Pod, audience: str) -> str:  # noqa: ARG002 # the protocol's
        name = f"{pod.metadata.namespace}/{pod.spec.service_account_name}"
        raise Unavailable(f"a token of service account {name} needs an API server", hint="give --kubeconfig")
