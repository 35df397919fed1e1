"""Makes the cluster of the agent's node, with or without an API server."""

from __future__ import annotations

from podwright.agent.assembly.dependencies import Dependencies
from podwright.agent.cluster.api_cluster import ApiCluster
from podwright.agent.cluster.protocol import Cluster
from podwright.agent.cluster.standalone import Standalone
from podwright.agent.events.log import EventLog
from podwright.agent.node.current import CurrentNode
from podwright.agent.runtime.handlers import HandlerNames


def make_cluster(dependencies: Dependencies, node: CurrentNode, events: EventLog) -> Cluster:
    """The cluster. Only this function asks whether there is an API server. Sends nothing."""
    if dependencies.servers is None:
        return Standalone(dependencies.objects, dependencies.services, HandlerNames(dependencies.watch))
    return ApiCluster(dependencies.servers, node, dependencies.clock, events)
