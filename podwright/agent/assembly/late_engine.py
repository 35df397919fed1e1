"""The engine for parts that are made before it."""

from __future__ import annotations

from podwright.agent.engine.engine import AgentEngine
from podwright.agent.workers.updates import PodUpdate
from podwright.errors import Internal
from podwright.k8s.objects import Pod


class LateEngine:
    """Passes calls on to the engine. Implements `gc.containers.PodStates` and `workers.ending.PodKiller`.

    Parts call it only while the agent runs. Before `set`, each method raises Internal.
    """

    def __init__(self) -> None:
        self._made: AgentEngine | None = None

    def set(self, engine: AgentEngine) -> None:
        """Pass calls on to this engine from now on."""
        self._made = engine

    @property
    def _engine(self) -> AgentEngine:
        if self._made is None:
            raise Internal("the engine is not made yet")
        return self._made

    def active_pods(self) -> list[Pod]:
        """The pods that run or will run."""
        return self._engine.active_pods()

    def active_uids(self) -> list[str]:
        """The UIDs of the pods that run or will run."""
        return [pod.metadata.uid for pod in self.active_pods()]

    def all_sources_read(self) -> bool:
        """Whether every source has sent its pods once."""
        return self._engine.loop.all_sources_read

    def may_run(self, uid: str) -> bool:
        """Whether containers of the pod may run."""
        return self._engine.workers.could_have_running_containers(uid)

    def is_idle(self, uid: str) -> bool:
        """Whether no container of the pod runs, according to the runtime."""
        observed = self._engine.cache.peek(uid)
        return observed is None or not observed.running()

    def is_finished(self, uid: str) -> bool:
        """Whether nothing remains to be done for the pod."""
        return self._engine.workers.should_be_finished(uid)

    def should_content_be_removed(self, uid: str) -> bool:
        return self._engine.workers.should_content_be_removed(uid)

    def should_runtime_be_removed(self, uid: str) -> bool:
        return self._engine.workers.should_runtime_be_removed(uid)

    def is_termination_requested(self, uid: str) -> bool:
        return self._engine.workers.is_termination_requested(uid)

    async def kill(self, update: PodUpdate, timeout_s: float) -> bool:
        return await self._engine.workers.kill(update, timeout_s)
