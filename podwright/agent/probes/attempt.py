"""One attempt of a probe: its target and its result."""

from __future__ import annotations

import enum
import errno
import os
import ssl

import msgspec

from podwright.k8s.objects import Container, Pod

OUTPUT_LIMIT_BYTES = 10 * 1024  # of a command's output, or of a body
PLAIN_ANSWERS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})  # OpenSSL's, of TLS


class AttemptResult(enum.Enum):
    """The outcome of one attempt. WARNING counts as a success that an event reports."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """`output` is what an event shows: the kubelet's texts (pkg/probe)."""

    verdict: AttemptResult
    output: str = ""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of a container. `ip` is its pod's address, or the node's for a pod on the host's network."""

    pod: Pod
    container: Container
    container_id: str
    ip: str


def failure(output: str) -> Attempt:
    """The container did not pass."""
    return Attempt(verdict=AttemptResult.FAILURE, output=output)


def joined(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_plain_answer(error: OSError) -> bool:
    """Whether a server answered without TLS where TLS was spoken to it."""
    return isinstance(error, ssl.SSLError) and error.reason in PLAIN_ANSWERS


def connect_failure(address: str, error: OSError) -> str:
    """Why a connection could not be made, as Go's net package says it: people search logs for these texts."""
    if isinstance(error, TimeoutError):
        return f"dial tcp {address}: i/o timeout"
    if isinstance(error, ssl.SSLError):  # whose errno is none of the kernel's
        plain = "http: server gave HTTP response to HTTPS client"
        return plain if is_plain_answer(error) else f"tls: {error.reason or error}"
    number = error.errno
    if number is None or number not in errno.errorcode:
        return f"dial tcp {address}: {error}"
    return f"dial tcp {address}: connect: {os.strerror(number).lower()}"
