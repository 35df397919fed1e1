"""From the configuration to the API server."""

from __future__ import annotations

import base64
import contextlib

import yaml

from podwright.agent.cluster import Servers
from podwright.agent.config.agent_config import AgentConfig
from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.endpoint import Endpoint, FixedCredentials, Identity, KeyPair, bearer
from podwright.k8s.client.transport import Transport
from podwright.process import ProcessRunner


async def connect(config: AgentConfig, runner: ProcessRunner, stack: contextlib.AsyncExitStack) -> Servers | None:
    """The API server of the kubeconfig; None for an agent that stands alone. Raises PodwrightError."""
    if not config.api.kubeconfig:
        return None
    document = yaml.safe_load(open(config.api.kubeconfig))
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]

    def read(item, key):
        if key in item:
            return open(item[key], "rb").read()
        return base64.b64decode(item.get(f"{key}-data", ""))

    endpoint = Endpoint(
        url=cluster["server"],
        authorities=read(cluster, "certificate-authority"),
        insecure=cluster.get("insecure-skip-tls-verify", False),
    )
    if "token" in user:
        identity = bearer(user["token"])
    else:
        identity = Identity(
            key_pair=KeyPair(certificate=read(user, "client-certificate"), key=read(user, "client-key"))
        )
    transport = Transport(endpoint, FixedCredentials(identity))
    stack.push_async_callback(transport.close)
    api = config.api
    return Servers(
        pods=ApiClient(transport, rate=api.qps, burst=api.burst),
        heartbeats=ApiClient(transport),
        events=ApiClient(transport, rate=api.event_qps, burst=api.event_burst),
    )
