"""Why containers could not be started, until they have been: the kubelet's reason cache."""

from __future__ import annotations

from collections.abc import Collection

from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.status.inputs import StartFailure

LIMIT = 1000


class StartFailures:
    """The failures by pod and container. The oldest is dropped when there are too many."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._failures: dict[tuple[str, str], StartFailure] = {}

    def note(self, uid: str, failure: ContainerFailure) -> None:
        """A container of that pod could not be started.

        Only the values are kept, not the exception with its frames.
        """
        key = (uid, failure.container)
        self._failures.pop(key, None)
        self._failures[key] = StartFailure(reason=failure.reason, message=str(failure))
        if len(self._failures) > self._limit:
            del self._failures[next(iter(self._failures))]

    def clear(self, uid: str, container: str) -> None:
        """The container has been started."""
        self._failures.pop((uid, container), None)

    def of(self, uid: str, containers: Collection[str]) -> dict[str, StartFailure]:
        """The failures of these containers of a pod, by name."""
        found = ((name, self._failures.get((uid, name))) for name in containers)
        return {name: failure for name, failure in found if failure is not None}

    def retain(self, uids: Collection[str]) -> None:
        """Drop those of all pods but these."""
        self._failures = {key: failure for key, failure in self._failures.items() if key[0] in uids}
