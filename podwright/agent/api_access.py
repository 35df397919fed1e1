"""Connects to the API server that the configuration names, and keeps the node's certificates valid."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging

from podwright.agent.clock import Clock
from podwright.agent.cluster.api_cluster import ApiServers
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.metrics.calls import CallMetrics
from podwright.agent.node.current import CurrentNode
from podwright.agent.server.serving_certificate import SERVER_PREFIX, asks_for_serving
from podwright.errors import PodwrightError, Unavailable
from podwright.k8s.client.certificates.bootstrap import CLIENT_PREFIX, Bootstrap, bootstrapped, node_subject
from podwright.k8s.client.certificates.credentials import RotatedCredentials
from podwright.k8s.client.certificates.files import CertificateFiles
from podwright.k8s.client.certificates.keys import KeyMaker, Subject
from podwright.k8s.client.certificates.rotation import Rotation, WantedCertificate
from podwright.k8s.client.certificates.signing import CLIENT, SERVING
from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.kubeconfig.connection import load
from podwright.k8s.client.protocol import ApiServer
from podwright.k8s.client.transport import Transport
from podwright.k8s.objects import Node
from podwright.process import ProcessRunner
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

HEARTBEATS_PER_S, HEARTBEATS_BURST = 5.0, 10
BOOTSTRAP_PAUSE_S = 5.0  # between tries at a server that does not answer
EXPIRY_CHECK_S = 60.0


async def connect(
    config: AgentConfig,
    runner: ProcessRunner,
    stack: contextlib.AsyncExitStack,
    node_name: str,
    clock: Clock,
    metrics: CallMetrics | None = None,
) -> ApiServers | None:
    """The API server of the kubeconfig. None for an agent without one. `metrics` counts the calls.

    With a bootstrap kubeconfig it returns when the node has a certificate, otherwise at once. Raises PodwrightError
    for an unusable kubeconfig, and for a denied certificate request.
    """
    api = config.api
    if not api.kubeconfig:
        return None
    bootstrap = _bootstrap(config, node_name)
    if bootstrap is not None:
        await _have_certificate(bootstrap, runner)
    connection = load(api.kubeconfig, runner)
    files = CertificateFiles(config.security.cert_dir, CLIENT_PREFIX)
    rotates = config.security.rotate_client_certificate
    credentials = RotatedCredentials(files.current_path, connection.credentials) if rotates else connection.credentials
    transport = Transport(connection.endpoint, credentials, metrics)
    stack.push_async_callback(transport.close)
    servers = ApiServers(
        pods=ApiClient(transport, rate=api.qps, burst=api.burst),
        heartbeats=ApiClient(transport, rate=HEARTBEATS_PER_S, burst=HEARTBEATS_BURST),
        events=ApiClient(transport, rate=api.event_qps, burst=api.event_burst),
    )
    if rotates:
        tasks = Tasks()
        stack.push_async_callback(tasks.close)
        wanted = WantedCertificate(purpose=CLIENT, subject=lambda: node_subject(node_name))
        tasks.start(Rotation(servers.heartbeats, files, KeyMaker(runner), wanted).run(), name="client certificate")
        if bootstrap is not None:
            tasks.start(_replace_expired(bootstrap, files, runner, clock), name="expired client certificate")
    return servers


def keep_serving_certificate(
    config: AgentConfig, server: ApiServer, node: CurrentNode, runner: ProcessRunner, tasks: Tasks
) -> None:
    """If configured, request the certificate of the node's API. Request a new one before it expires.

    Also when the node has other addresses, as a kubelet does.
    """
    if asks_for_serving(config, has_api=True):
        files = CertificateFiles(config.security.cert_dir, SERVER_PREFIX)
        wanted = WantedCertificate(purpose=SERVING, subject=lambda: serving_subject(node.node))
        rotation = Rotation(server, files, KeyMaker(runner), wanted)
        tasks.start(_once_registered(node, rotation), name="serving certificate")
        tasks.start(_follow_node(node, rotation), name="addresses of the serving certificate")


def serving_subject(node: Node) -> Subject | None:
    """The subject of the certificate: the node at all of its addresses. None while it has no address. Pure."""
    found = {each.address for each in node.status.addresses if each.address}
    addresses = tuple(sorted(each for each in found if _is_ip(each)))
    names = tuple(sorted(found - set(addresses)))
    if not found:
        return None
    subject = node_subject(node.metadata.name)
    return Subject(
        common_name=subject.common_name,
        organizations=subject.organizations,
        dns_names=names,
        ip_addresses=addresses,
    )


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _bootstrap(config: AgentConfig, node_name: str) -> Bootstrap | None:
    if not config.api.bootstrap_kubeconfig:
        return None
    return Bootstrap(
        kubeconfig=config.api.kubeconfig,
        bootstrap_kubeconfig=config.api.bootstrap_kubeconfig,
        certificates=config.security.cert_dir,
        node_name=node_name,
    )


async def _have_certificate(bootstrap: Bootstrap, runner: ProcessRunner) -> None:
    """Wait until the node has its certificate. Raises PodwrightError for failures that only a person can mend."""
    last = ""
    while (problem := await _tried(bootstrap, runner)) is not None:
        if str(problem) != last:
            log.warning("the node has no certificate yet, trying again: error=%s", problem)
        last = str(problem)
        await asyncio.sleep(BOOTSTRAP_PAUSE_S)


async def _tried(bootstrap: Bootstrap, runner: ProcessRunner) -> Unavailable | None:
    """Request the certificate once. Returns the failure if the server did not answer, and None on success."""
    try:
        await bootstrapped(bootstrap, runner)
    except Unavailable as failure:
        return failure
    return None


async def _replace_expired(bootstrap: Bootstrap, files: CertificateFiles, runner: ProcessRunner, clock: Clock) -> None:
    """Replace an expired certificate, by the bootstrap token.

    An expired certificate cannot be used to request its successor. It expires if the machine sleeps, or the API server
    is away, for longer than it is valid.
    """
    while True:
        await asyncio.sleep(EXPIRY_CHECK_S)
        current = files.current()
        if current is None or current[1].end > clock.now_ns() / 1e9:
            continue
        log.warning("the node's certificate has expired, asking for a first one again: node=%s", bootstrap.node_name)
        try:
            await bootstrapped(bootstrap, runner)
        except PodwrightError as failure:
            log.warning("no new certificate: error=%s", failure)


async def _once_registered(node: CurrentNode, rotation: Rotation) -> None:
    """Rotate the serving certificate once the node is registered: the approver compares the addresses."""
    await node.registered.wait()
    await rotation.run()


async def _follow_node(node: CurrentNode, rotation: Rotation) -> None:
    """Have the rotation look again at every change of the node: its addresses may be others."""
    while True:
        await node.changed()
        rotation.look_again()
