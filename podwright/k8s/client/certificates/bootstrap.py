"""A node's first certificate: with the token of a bootstrap kubeconfig, to a kubeconfig of its own (TLS bootstrap)."""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import time
from collections.abc import Callable

import msgspec
import yaml

from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError
from podwright.k8s.client.certificates.files import CertificateFiles, write_private
from podwright.k8s.client.certificates.keys import KeyMaker, Subject
from podwright.k8s.client.certificates.signing import CLIENT, certified, request_name
from podwright.k8s.client.certificates.x509 import validity_of
from podwright.k8s.client.client import ApiClient
from podwright.k8s.client.endpoint import Endpoint, KeyPair
from podwright.k8s.client.kubeconfig.connection import load
from podwright.k8s.client.tls import check_key_pair
from podwright.k8s.client.transport import Transport
from podwright.process import ProcessRunner

log = logging.getLogger(__name__)

NODES = "system:nodes"
CLIENT_PREFIX = "kubelet-client"
TIMEOUT_S = 3600.0  # the kubelet's


class Bootstrap(msgspec.Struct, frozen=True, kw_only=True):
    """Paths and the node's name. `certificates` is the kubelet's --cert-dir, `pki` in its root as a rule."""

    kubeconfig: str
    bootstrap_kubeconfig: str
    certificates: str
    node_name: str


def node_subject(node_name: str) -> Subject:
    """The subject of a node's client certificate."""
    return Subject(common_name=f"system:node:{node_name}", organizations=(NODES,))


async def bootstrapped(
    settings: Bootstrap, runner: ProcessRunner, *, timeout_s: float = TIMEOUT_S, now: Callable[[], float] = time.time
) -> bool:
    """Make a kubeconfig that works. Returns whether one had to be made.

    One whose certificate has not expired stays. Raises what `certified` raises, and
    FailedPrecondition and InvalidArgument for files.
    """
    if await _usable(settings.kubeconfig, runner, now()):
        return False
    connection = load(settings.bootstrap_kubeconfig, runner)
    transport = Transport(connection.endpoint, connection.credentials)
    try:
        pair = await _first_certificate(ApiClient(transport), settings, KeyMaker(runner), timeout_s)
    finally:
        await transport.close()
    files = CertificateFiles(settings.certificates, CLIENT_PREFIX)
    files.store(pair)
    _write(settings.kubeconfig, connection.endpoint, files.current_path)
    with contextlib.suppress(OSError):
        os.unlink(_key_path(settings))
    log.info("the node has its certificate: node=%s kubeconfig=%s", settings.node_name, settings.kubeconfig)
    return True


async def _usable(path: str, runner: ProcessRunner, now: float) -> bool:
    if not os.path.exists(path):
        return False
    try:
        identity = await load(path, runner).credentials.identity()
        if identity.key_pair is not None and validity_of(identity.key_pair.certificate).end <= now:
            raise FailedPrecondition(f"kubeconfig {path}: its client certificate has expired")
    except (FailedPrecondition, InvalidArgument) as failure:
        log.warning("the node gets a new certificate: reason=%s", failure)
        return False
    return True


async def _first_certificate(api: ApiClient, settings: Bootstrap, keys: KeyMaker, timeout_s: float) -> KeyPair:
    """Keep the key in a file until it has its certificate.

    So an agent that is killed before its request is approved comes back with the same request.
    """
    path = _key_path(settings)
    subject = node_subject(settings.node_name)
    try:
        made = await keys.make(subject, _kept(path))
    except PodwrightError:
        made = await keys.make(subject)  # what was kept is no key
    try:
        os.makedirs(settings.certificates, mode=0o755, exist_ok=True)
        write_private(path, made.key)
    except OSError as failure:
        raise FailedPrecondition(f"{path} cannot be written: {failure.strerror}") from failure
    name = request_name(made, CLIENT)
    try:
        certificate = await certified(api, made, CLIENT, name=name, timeout_s=timeout_s)
        pair = KeyPair(certificate=certificate, key=made.key)
        check_key_pair(pair, f"certificate request {name}")
    except FailedPrecondition:
        os.unlink(path)  # of no use any more: the next try has another key, and another request
        raise
    return pair


def _kept(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _key_path(settings: Bootstrap) -> str:
    return os.path.join(settings.certificates, f"{CLIENT_PREFIX}.key.tmp")


def _write(path: str, endpoint: Endpoint, certificate: str) -> None:
    """The kubeconfig, with the kubelet's names."""
    cluster: dict[str, object] = {"server": endpoint.url}
    if endpoint.authorities:
        cluster["certificate-authority-data"] = base64.b64encode(endpoint.authorities).decode()
    if endpoint.server_name:
        cluster["tls-server-name"] = endpoint.server_name
    if endpoint.insecure:
        cluster["insecure-skip-tls-verify"] = True
    if endpoint.proxy_url:
        cluster["proxy-url"] = endpoint.proxy_url
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "default-cluster", "cluster": cluster}],
        "users": [{"name": "default-auth", "user": {"client-certificate": certificate, "client-key": certificate}}],
        "contexts": [
            {
                "name": "default-context",
                "context": {"cluster": "default-cluster", "user": "default-auth", "namespace": "default"},
            }
        ],
        "current-context": "default-context",
    }
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        write_private(path, _yaml(document))
    except OSError as failure:
        raise FailedPrecondition(f"kubeconfig {path} cannot be written: {failure.strerror}") from failure


def _yaml(document: object) -> bytes:
    return yaml.safe_dump(document, sort_keys=False).encode()
