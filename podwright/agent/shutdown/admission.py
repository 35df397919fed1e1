"""Refuses new pods while the node shuts down."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from podwright.agent.admission.chain import Refusal
from podwright.k8s.objects import Pod


class ShutdownCheck:
    """A `chain.Check`."""

    def __init__(self, is_shutting_down: Callable[[], bool]) -> None:
        self._is_shutting_down = is_shutting_down

    def __call__(self, pod: Pod, others: Sequence[Pod]) -> Refusal | None:  # noqa: ARG002 # the protocol's
        if not self._is_shutting_down():
            return None
        return Refusal(reason="NodeShutdown", message="Pod was rejected as the node is shutting down.")
