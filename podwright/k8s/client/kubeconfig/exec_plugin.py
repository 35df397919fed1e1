"""Credentials from a program (client-go credential plug-ins, client.authentication.k8s.io v1 and v1beta1).

The program runs when there are no credentials yet, when they expire, and when the server refuses them. Never twice at
once. It gets the environment of this process, what the kubeconfig adds, and KUBERNETES_EXEC_INFO.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from datetime import UTC, datetime

import msgspec

from podwright.errors import DeadlineExceeded, FailedPrecondition, InvalidArgument
from podwright.k8s.client.endpoint import Identity, KeyPair
from podwright.k8s.client.kubeconfig.model import ExecClusterInfo, ExecConfig, ExecCredential, ExecStatus
from podwright.k8s.codec import decode
from podwright.k8s.times import parse_time
from podwright.process import SAFE_PATH, Command, ProcessRunner

TIMEOUT_S = 60.0
OUTPUT_LIMIT_BYTES = 1 << 20


class ExecCredentials:
    """See `Credentials`. `where` names the plug-in in messages."""

    def __init__(
        self, program: ExecConfig, cluster: ExecClusterInfo | None, where: str, runner: ProcessRunner
    ) -> None:
        self._program = program
        self._cluster = cluster
        self._where = where
        self._runner = runner
        self._identity: Identity | None = None
        self._expires_ns: int | None = None
        self._lock = asyncio.Lock()

    async def identity(self) -> Identity:
        """See Credentials. Raises FailedPrecondition when the program fails."""
        async with self._lock:
            if self._identity is None or (self._expires_ns is not None and time.time_ns() >= self._expires_ns):
                status = await self._run()
                self._identity = _identity(status)
                self._expires_ns = self._expiry(status)
            return self._identity

    def refused(self, identity: Identity) -> bool:
        """See Credentials: the program is asked again."""
        if identity is self._identity:
            self._identity = None
        return True

    async def _run(self) -> ExecStatus:
        environ = {**os.environ, **{each.name: each.value for each in self._program.env}}
        environ["KUBERNETES_EXEC_INFO"] = self._info()
        command = Command(
            argv=(self._found(environ.get("PATH", SAFE_PATH)), *self._program.args),
            timeout_s=TIMEOUT_S,
            env=environ,
            output_limit_bytes=OUTPUT_LIMIT_BYTES,
        )
        try:
            done = await self._runner.run(command)
        except DeadlineExceeded as late:
            raise FailedPrecondition(f"{self._where}: gave no credentials within {TIMEOUT_S:g} s") from late
        if done.returncode:
            message = f"{self._where}: failed with exit code {done.shell_code}: {done.error_text()}"
            raise FailedPrecondition(message, hint=self._program.install_hint)
        return self._status(done.stdout)

    def _found(self, path: str) -> str:
        found = shutil.which(self._program.command, path=path)
        if found is None:
            raise FailedPrecondition(f"{self._where}: there is no such program", hint=self._program.install_hint)
        return found

    def _info(self) -> str:
        spec = {"interactive": False, **({"cluster": self._cluster} if self._cluster else {})}
        document = {"kind": "ExecCredential", "apiVersion": self._program.api_version, "spec": spec}
        return msgspec.json.encode(document).decode()

    def _status(self, output: bytes) -> ExecStatus:
        """Read the program's output. It is never shown, for it may hold secrets."""
        try:
            credential = decode(output, ExecCredential)
        except (InvalidArgument, msgspec.DecodeError) as failure:
            raise FailedPrecondition(f"{self._where}: its output is not an ExecCredential") from failure
        wanted = ("ExecCredential", self._program.api_version)
        if (credential.kind, credential.api_version) != wanted:
            raise FailedPrecondition(f"{self._where}: did not give an {' of '.join(wanted)}")
        status = credential.status
        if status is None or not (status.token or status.client_certificate_data):
            raise FailedPrecondition(f"{self._where}: gave neither a token nor a certificate")
        if bool(status.client_certificate_data) != bool(status.client_key_data):
            raise FailedPrecondition(f"{self._where}: gave a certificate without its key, or a key alone")
        return status

    def _expiry(self, status: ExecStatus) -> int | None:
        if not status.expiration_timestamp:
            return None
        try:
            end = parse_time(status.expiration_timestamp)
        except InvalidArgument as failure:
            raise FailedPrecondition(f"{self._where}: expirationTimestamp: {failure}") from failure
        return int((end - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 10**9)


def _identity(status: ExecStatus) -> Identity:
    headers = {"Authorization": f"Bearer {status.token}"} if status.token else {}
    pair = None
    if status.client_certificate_data:
        certificate, key = status.client_certificate_data.encode(), status.client_key_data.encode()
        pair = KeyPair(certificate=certificate, key=key)
    return Identity(headers=headers, key_pair=pair)
