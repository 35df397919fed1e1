"""Keeps the reasons why containers could not be started, until they are (the kubelet's reason cache)."""

from __future__ import annotations

from collections.abc import Collection

from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.status.inputs import StartFailure

LIMIT = 1000


class StartFailures:
    """The failures by pod and container. If there are too many, the oldest is dropped."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._failures: dict[tuple[str, str], StartFailure] = {}

    def note(self, uid: str, failure: ContainerFailure) -> None:
        """Note that a container of the pod could not be started.

        Keeps only the values, not the exception with its frames.
        """
        key = (uid, failure.container)
        self._failures.pop(key, None)
        self._failures[key] = StartFailure(reason=failure.reason, message=str(failure))
        if len(self._failures) > self._limit:
            del self._failures[next(iter(self._failures))]

    def clear(self, uid: str, container: str) -> None:
        """Note that the container was started."""
        self._failures.pop((uid, container), None)

    def of(self, uid: str, containers: Collection[str]) -> dict[str, StartFailure]:
        """The failures of these containers of a pod, by name."""
        found = ((name, self._failures.get((uid, name))) for name in containers)
        return {name: failure for name, failure in found if failure is not None}

    def retain(self, uids: Collection[str]) -> None:
        """Drop the failures of all pods except these."""
        self._failures = {key: failure for key, failure in self._failures.items() if key[0] in uids}
