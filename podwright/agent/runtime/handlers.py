"""Finds the runtime handler of a pod, and what it supports."""

from __future__ import annotations

from typing import Protocol

from podwright.agent.runtime.records import HandlerFeatures
from podwright.agent.runtime.watch import RuntimeWatch
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.k8s.objects import Pod


class Classes(Protocol):
    """RuntimeClasses: `objects.runtime_classes`."""

    def handler_of(self, name: str) -> str:
        """The handler of a class. Raises PodwrightError."""


class HandlerNames:
    """Handlers without an API server, where a runtimeClassName is the name of a handler."""

    def __init__(self, watch: RuntimeWatch) -> None:
        self._watch = watch

    def handler_of(self, name: str) -> str:
        known = [handler.name for handler in self._watch.state.handlers if handler.name]
        if known and name not in known:
            raise FailedPrecondition(
                f"runtimeClassName {name!r} is not a handler of this runtime", hint=f"its handlers: {', '.join(known)}"
            )
        return name


class RuntimeHandlers:
    """The handlers of pods."""

    def __init__(self, watch: RuntimeWatch, classes: Classes) -> None:
        self._watch = watch
        self._classes = classes

    def name_for(self, pod: Pod) -> str:
        """The handler's name, empty for the default. Raises PodwrightError."""
        name = pod.spec.runtime_class_name
        return self._classes.handler_of(name) if name else ""

    def features_of(self, pod: Pod) -> HandlerFeatures | None:
        """The features of the pod's handler.

        None if the runtime does not report them, or if the pod's class is unknown.
        """
        try:
            return self._watch.state.handler(self.name_for(pod))
        except PodwrightError:
            return None

    def supports_recursive_read_only(self, pod: Pod) -> bool:
        """Whether the pod's handler mounts recursively read-only."""
        features = self.features_of(pod)
        return features is not None and features.recursive_read_only_mounts
