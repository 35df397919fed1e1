"""From the configuration to the API server."""

from __future__ import annotations

import contextlib

from podwright.agent.cluster import Servers
from podwright.agent.config.agent_config import AgentConfig
from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.kubeconfig.connection import load
from podwright.k8s.client.transport import Transport
from podwright.process import ProcessRunner

HEARTBEATS_PER_S, HEARTBEATS_BURST = 5.0, 10


async def connect(config: AgentConfig, runner: ProcessRunner, stack: contextlib.AsyncExitStack) -> Servers | None:
    """The API server of the kubeconfig; None for an agent that stands alone. Nothing is sent yet.

    Raises PodwrightError for a kubeconfig that cannot be used.
    """
    api = config.api
    if not api.kubeconfig:
        return None
    connection = load([api.kubeconfig], runner)
    transport = Transport(connection.endpoint, connection.credentials)
    stack.push_async_callback(transport.close)
    return Servers(
        pods=ApiClient(transport, rate=api.qps, burst=api.burst),
        heartbeats=ApiClient(transport, rate=HEARTBEATS_PER_S, burst=HEARTBEATS_BURST),
        events=ApiClient(transport, rate=api.event_qps, burst=api.event_burst),
    )
