"""RuntimeClasses of the API server: from the name in a pod's spec to the runtime's handler."""

from __future__ import annotations

from typing import Protocol

from podwright.errors import NotFound, Unavailable
from podwright.k8s.objects import RuntimeClass


class RuntimeClassStore(Protocol):
    """The classes, kept by a watch."""

    def listed(self) -> tuple[RuntimeClass, ...] | None:
        """All classes. None until they have been listed once."""


class ApiRuntimeClasses:
    """Implements `runtime.handlers.Classes`."""

    def __init__(self, store: RuntimeClassStore) -> None:
        self._store = store

    def handler_of(self, name: str) -> str:
        """The handler of a class. Raises NotFound, and Unavailable until the classes are known."""
        classes = self._store.listed()
        if classes is None:
            raise Unavailable("RuntimeClasses are not known yet", hint="the API server has not answered")
        found = next((each.handler for each in classes if each.metadata.name == name), None)
        if found is None:
            raise NotFound(f'RuntimeClass "{name}" not found')
        return found
