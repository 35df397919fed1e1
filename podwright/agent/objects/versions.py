"""Finds the newest version of a kind that the API server has, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from podwright.errors import FailedPrecondition, NotFound
from podwright.k8s.client.failures import Garbled
from podwright.k8s.client.protocol import ApiServer, RawRequest
from podwright.k8s.objects.base import Kind

K = TypeVar("K", bound=Kind)


class _VersionedResource(msgspec.Struct):
    name: str


class _Resources(msgspec.Struct):
    """The resources of one version of an API group (APIResourceList)."""

    resources: tuple[_VersionedResource, ...] = ()


class NewestVersion(Generic[K]):
    """Finds the version of one kind."""

    def __init__(self, server: ApiServer, versions: Sequence[type[K]], noun: str, gate: str) -> None:
        """`versions` has the newest first. Messages use `noun` and `gate`: what is missing, and what enables it."""
        self._server = server
        self._versions = versions
        self._noun = noun
        self._gate = gate
        self._found: type[K] | None = None

    async def find(self) -> type[K]:
        """The type of the newest version.

        Raises FailedPrecondition if the server has no such objects, and other PodwrightErrors.
        """
        if self._found is None:
            for version in self._versions:
                if await self._serves(version):
                    self._found = version
                    return version
            raise FailedPrecondition(
                f"the API server has no {self._noun}",
                hint=f"it needs the feature gate {self._gate}, and their beta version in --runtime-config",
            )
        return self._found

    async def _serves(self, version: type[K]) -> bool:
        try:
            answer = await self._server.raw(RawRequest(path=f"/apis/{version.API_VERSION}"))
        except NotFound:
            return False
        try:
            listed = msgspec.json.decode(answer, type=_Resources)
        except msgspec.DecodeError as failure:
            raise Garbled(f"the API server's answer about {version.API_VERSION} is invalid: {failure}") from failure
        return any(each.name == version.RESOURCE for each in listed.resources)
