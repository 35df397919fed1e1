"""The daemon's own logins, for pulls whose request has no credentials."""

from __future__ import annotations

import logging
import os

from podwright.errors import FailedPrecondition
from podwright.logins import docker_config, helper
from podwright.logins.docker_config import Credential, LoginFile
from podwright.process import ProcessRunner
from podwright.runtime.config import RegistrySettings
from podwright.runtime.registry.challenge import ServerCredentials

log = logging.getLogger(__name__)

FILE_LIMIT_BYTES = 4 << 20


class DaemonLogins:
    """Reads the file at each use, so a new login needs no restart."""

    def __init__(self, settings: RegistrySettings, runner: ProcessRunner) -> None:
        self._path = settings.auth_file or default_path()
        self._timeout_s = settings.credential_helper_timeout_s
        self._runner = runner

    async def find(self, host: str, repository: str) -> ServerCredentials:
        """The credentials for a repository of a host. Empty, perhaps with the reason, if there are none."""
        try:
            found = await self._find(host, repository)
        except (OSError, FailedPrecondition) as failure:
            log.warning("cannot read login: host=%s error=%s", host, failure)
            return ServerCredentials(missing=str(failure))
        if found is None:
            return ServerCredentials()
        if found.identity_token:
            return ServerCredentials(secret=found.identity_token)
        return ServerCredentials(username=found.username, secret=found.password)

    async def _find(self, host: str, repository: str) -> Credential | None:
        file = self._read()
        if file is None:
            return None
        host = docker_config.DOCKER_HUB if host in docker_config.DOCKER_HUB_NAMES else host
        if name := file.helper_for(host):
            return await helper.ask(self._runner, name, host, self._timeout_s)
        return next(iter(docker_config.matching(file.credentials, host, repository)), None)

    def _read(self) -> LoginFile | None:
        try:
            with open(self._path, "rb") as opened:
                file = docker_config.parse(opened.read(FILE_LIMIT_BYTES))
        except (FileNotFoundError, NotADirectoryError):
            return None
        if file is None:
            raise FailedPrecondition(f"{self._path} is not a login file")
        return file


def default_path() -> str:
    """Docker's file of the user that the daemon runs as."""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    return f"{folder}/config.json"
