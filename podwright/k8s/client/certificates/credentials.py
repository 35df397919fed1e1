"""The credentials of a node whose client certificate is rotated."""

from __future__ import annotations

import os

from podwright.errors import FailedPrecondition
from podwright.k8s.client.endpoint import Credentials, Identity
from podwright.k8s.client.kubeconfig.model import KubeUser
from podwright.k8s.client.kubeconfig.user import UserCredentials


class RotatedCredentials:
    """See `Credentials`. The file of the newest certificate, or, until it is there, those of the kubeconfig.

    A kubeconfig may name that file, as kubeadm's does, or hold the node's first certificate itself.
    """

    def __init__(self, current_path: str, first: Credentials) -> None:
        self._path = current_path
        self._first = first
        self._rotated: UserCredentials | None = None

    async def identity(self) -> Identity:
        """As `Credentials..identity`."""
        return await self._now().identity()

    def refused(self, identity: Identity) -> bool:
        """As `Credentials..refused`."""
        return self._now().refused(identity)

    def _now(self) -> Credentials:
        if self._rotated is None and os.path.exists(self._path):
            user = KubeUser(client_certificate=self._path, client_key=self._path)
            try:
                self._rotated = UserCredentials(user, self._path)
            except FailedPrecondition:  # it cannot be used: the rotation makes another one
                return self._first
        return self._rotated or self._first
