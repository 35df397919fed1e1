"""The API's service accounts, and their tokens. Implements `images.accounts.ServiceAccounts`."""

from __future__ import annotations

from podwright.agent.objects.tokens import PodTokens
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.objects import Pod, ServiceAccount, ServiceAccountTokenProjection


class ApiAccounts:
    """Implements `images.accounts.ServiceAccounts`."""

    def __init__(self, server: ApiServer, tokens: PodTokens) -> None:
        self._server = server
        self._tokens = tokens

    async def account(self, namespace: str, name: str) -> ServiceAccount:
        return await self._server.get(ServiceAccount, name, namespace=namespace)

    async def account_token(self, pod: Pod, audience: str) -> str:
        projection = ServiceAccountTokenProjection(audience=audience, path="")
        return (await self._tokens.current(pod, projection)).text
