"""Keys of pods and the proofs of having them, made by a child process (`key_child`)."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from podwright.errors import FailedPrecondition
from podwright.process import Command, ProcessRunner

PROGRAM = os.path.join(os.path.dirname(__file__), "key_child.py")
TIMEOUT_S = 60.0


class KeyAndProof(msgspec.Struct, frozen=True, kw_only=True):
    """The private key in PEM, and a PKCS#10 request in DER that is empty but for the key."""

    key: str
    request: bytes

    def __repr__(self) -> str:
        """Without the key."""
        return "KeyAndProof()"


class PodKeyMaker(Protocol):
    """Makes keys."""

    async def make(self, key_type: str) -> KeyAndProof:
        """A new key. Raises FailedPrecondition and DeadlineExceeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildKeyMaker:
    """A `PodKeyMaker`: see the module's text."""

    runner: ProcessRunner = field(repr=False)

    async def make(self, key_type: str) -> KeyAndProof:
        asked = msgspec.json.encode({"type": key_type})
        command = Command(argv=(sys.executable, "-I", PROGRAM), timeout_s=TIMEOUT_S, stdin=asked)
        done = await self.runner.run(command)
        if done.returncode:
            raise FailedPrecondition(f"cannot make a key of type {key_type}: {done.error_text()}")
        return msgspec.json.decode(done.stdout, type=KeyAndProof)
