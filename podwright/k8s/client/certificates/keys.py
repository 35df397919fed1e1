"""Keys and certificate requests, made by a child process (`request_child`)."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition
from podwright.process import Command, ProcessRunner

PROGRAM = os.path.join(os.path.dirname(__file__), "request_child.py")
TIMEOUT_S = 60.0


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The subject of a certificate, and the hosts at which it serves."""

    common_name: str
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()

    def hosts(self) -> frozenset[str]:
        """All names and addresses."""
        return frozenset((*self.dns_names, *(str(ipaddress.ip_address(each)) for each in self.ip_addresses)))


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAndRequest:
    """PEM."""

    key: bytes = field(repr=False)
    request: bytes


class KeyMaker:
    """Makes keys and requests."""

    def __init__(self, runner: ProcessRunner) -> None:
        self._runner = runner

    async def make(self, subject: Subject, key: bytes = b"") -> KeyAndRequest:
        """A request with a new key, or with the given one. Raises FailedPrecondition and DeadlineExceeded."""
        asked = {
            "common_name": subject.common_name,
            "organizations": subject.organizations,
            "dns_names": subject.dns_names,
            "ip_addresses": subject.ip_addresses,
            "key": key.decode(),
        }
        what = f"a certificate request for {subject.common_name}"
        answer = msgspec.json.decode(await ask_child(self._runner, PROGRAM, asked, what))
        return KeyAndRequest(key=answer["key"].encode(), request=answer["request"].encode())


async def ask_child(runner: ProcessRunner, program: str, asked: Mapping[str, Any], what: str) -> bytes:
    """The answer of a Python program that makes `what`, to JSON on its stdin.

    Raises FailedPrecondition and DeadlineExceeded.
    """
    command = Command(argv=(sys.executable, "-I", program), timeout_s=TIMEOUT_S, stdin=msgspec.json.encode(asked))
    done = await runner.run(command)
    if done.returncode:
        raise FailedPrecondition(f"cannot make {what}: {done.error_text()}")
    return done.stdout
