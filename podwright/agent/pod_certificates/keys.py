"""Keys of pods and proofs of their possession, made by a child process (`key_child`)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from podwright.k8s.client.certificates.keys import ask_child
from podwright.process import ProcessRunner

PROGRAM = os.path.join(os.path.dirname(__file__), "key_child.py")


class KeyAndProof(msgspec.Struct, frozen=True, kw_only=True):
    """The private key in PEM, and a PKCS#10 request in DER with nothing but the key."""

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
    """A `PodKeyMaker` that runs `key_child`."""

    runner: ProcessRunner = field(repr=False)

    async def make(self, key_type: str) -> KeyAndProof:
        answer = await ask_child(self.runner, PROGRAM, {"type": key_type}, f"a key of type {key_type}")
        return msgspec.json.decode(answer, type=KeyAndProof)
