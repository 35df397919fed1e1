"""The inputs of all parts of the agent."""

from __future__ import annotations

import msgspec

from podwright.agent.assembly.dependencies import Dependencies
from podwright.agent.assembly.late_engine import LateEngine
from podwright.agent.assembly.node import OwnNode, make_node
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.engine.shared_state import SharedState
from podwright.agent.events.log import EventLog


class AssemblyContext(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration, the dependencies, and values that follow from them. `root` is the agent's root directory."""

    config: AgentConfig
    dependencies: Dependencies
    root: str
    node: OwnNode
    events: EventLog
    shared: SharedState
    engine: LateEngine


def make_context(config: AgentConfig, dependencies: Dependencies) -> AssemblyContext:
    """Make the context. Raises InvalidArgument for a configuration that this machine cannot carry out, and OSError."""
    return AssemblyContext(
        config=config,
        dependencies=dependencies,
        root=config.process.root_dir,
        node=make_node(config, dependencies),
        events=EventLog(dependencies.clock, dependencies.node_name),
        shared=SharedState(dependencies.runtime, dependencies.clock, dependencies.metrics.pleg),
        engine=LateEngine(),
    )
