"""Which runtime handler a pod wants, and what it can do."""

from __future__ import annotations

from podwright.agent.runtime.records import HandlerFeatures
from podwright.agent.runtime.watch import RuntimeWatch
from podwright.errors import FailedPrecondition
from podwright.k8s.objects import Pod


class RuntimeHandlers:
    """Without an API server there are no RuntimeClasses: a class is the name of a handler."""

    def __init__(self, watch: RuntimeWatch) -> None:
        self._watch = watch

    def name_for(self, pod: Pod) -> str:
        """The handler to ask the runtime for; empty for its default. Raises FailedPrecondition."""
        name = pod.spec.runtime_class_name or ""
        known = [handler.name for handler in self._watch.state.handlers if handler.name]
        if name and known and name not in known:
            raise FailedPrecondition(
                f"runtimeClassName {name!r} is no handler of this runtime", hint=f"its handlers: {', '.join(known)}"
            )
        return name

    def features_of(self, pod: Pod) -> HandlerFeatures | None:
        """What the pod's handler can do; None when the runtime does not say."""
        return self._watch.state.handler(pod.spec.runtime_class_name or "")

    def supports_recursive_read_only(self, pod: Pod) -> bool:
        """Whether the pod's handler mounts recursively read-only."""
        features = self.features_of(pod)
        return features is not None and features.recursive_read_only_mounts
