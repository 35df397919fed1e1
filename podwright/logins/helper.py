"""Credential helpers: programs `docker-credential-NAME`, whose protocol is that of docker-credential-helpers."""

from __future__ import annotations

import os
import shutil

import msgspec

from podwright.errors import FailedPrecondition, PodwrightError
from podwright.logins.docker_config import DOCKER_HUB, DOCKER_HUB_SERVER, Credential
from podwright.process import Command, ProcessRunner

TOKEN_USER = "<token>"  # noqa: S105 # the helpers' word: the secret is an identity token
NOT_FOUND = b"credentials not found"  # the only way in which helpers report it
OUTPUT_LIMIT_BYTES = 1 << 20


class _Answer(msgspec.Struct, frozen=True, rename="pascal"):
    username: str = ""
    secret: str = ""


async def ask(runner: ProcessRunner, name: str, host: str, timeout_s: float) -> Credential | None:
    """The helper's credentials for a host, or None. Raises FailedPrecondition without the helper's output.

    The helper is looked up in our PATH and gets our environment, as in Docker, because helpers read settings from it.
    """
    program = f"docker-credential-{name}"
    path = shutil.which(program)
    if path is None:
        raise FailedPrecondition(f"{program} is not installed")
    server = DOCKER_HUB_SERVER if host == DOCKER_HUB else host
    command = Command(
        argv=(path, "get"),
        stdin=server.encode(),
        env=dict(os.environ),
        timeout_s=timeout_s,
        output_limit_bytes=OUTPUT_LIMIT_BYTES,
    )
    try:
        completed = await runner.run(command)
    except PodwrightError as failure:
        raise FailedPrecondition(f"{program} does not run: {failure.message}") from failure
    if completed.returncode:
        if completed.stdout.startswith(NOT_FOUND):
            return None
        raise FailedPrecondition(f"{program} has failed with exit code {completed.shell_code}")
    try:
        answer = msgspec.json.decode(completed.stdout, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise FailedPrecondition(f"{program} printed something other than its protocol requires") from None
    if answer.username == TOKEN_USER:
        return Credential(host=host, identity_token=answer.secret)
    return Credential(host=host, username=answer.username, password=answer.secret) if answer.username else None
