"""One pull for a command: with this user's logins, and with progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from podwright.api.pulls import followed
from podwright.cli.credentials import RegistryLogin, find_login
from podwright.cli.pull_display import shown_pull
from podwright.cri.v1 import api_pb2 as api

if TYPE_CHECKING:
    from podwright.cri.client import CriClient


async def pull(
    cri: CriClient,
    reference: str,
    *,
    login: RegistryLogin | None = None,
    shown_on: TextIO | None = None,
    sandbox_config: api.PodSandboxConfig | None = None,
) -> api.PullImageResponse:
    """Pull the image without a time limit. Without `login`, with this user's login.

    Raises PodwrightError.
    """
    request = api.PullImageRequest(image=api.ImageSpec(image=reference, user_specified_image=reference))
    if sandbox_config is not None:
        request.sandbox_config.CopyFrom(sandbox_config)
    login = login or find_login(reference)
    if login is not None:
        request.auth.username = login.username
        request.auth.password = login.password
        request.auth.identity_token = login.identity_token
    if shown_on is None:
        return await cri.call(cri.images.PullImage, request, timeout_s=None)
    with shown_pull(reference, shown_on) as tell:
        async with followed(cri, reference, tell):
            return await cri.call(cri.images.PullImage, request, timeout_s=None)
