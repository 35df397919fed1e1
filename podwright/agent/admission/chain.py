"""The checks that a new pod must pass, in order. The first refusal decides."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

import msgspec

from podwright.k8s.objects import Pod


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a pod cannot run here: a reason of the kubelet's, such as `OutOfcpu`, and a message for people."""

    reason: str
    message: str


class Check(Protocol):
    """One check. It may do something for the pod, such as allot devices or end other pods.

    A check that needs I/O returns an awaitable, and sets a deadline: no other pod is admitted meanwhile.
    """

    def __call__(self, pod: Pod, others: Sequence[Pod]) -> Refusal | Awaitable[Refusal | None] | None:
        """None if the pod may run beside the `others`, which run or will run."""


class Admission:
    """The chain of checks."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = tuple(checks)

    async def refuse(self, pod: Pod, others: Sequence[Pod]) -> Refusal | None:
        """The first refusal. None if the pod is admitted."""
        for check in self._checks:
            answer = check(pod, others)
            refusal = await answer if isinstance(answer, Awaitable) else answer
            if refusal is not None:
                return refusal
        return None
