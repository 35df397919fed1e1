"""One attempt of a probe: its target and its result."""

from __future__ import annotations

import enum
import errno
import os
import ssl

import msgspec

from podwright.k8s.objects import Container, Pod

OUTPUT_LIMIT_BYTES = 10 * 1024  # of a command's output, or of a body
# OpenSSL's reasons for an answer without TLS.
PLAIN_ANSWERS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"})


class AttemptResult(enum.Enum):
    """The outcome of one attempt. WARNING counts as a success that an event reports."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one attempt. `output` is for an event, with the kubelet's texts (pkg/probe)."""

    verdict: AttemptResult
    output: str = ""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of a container. `ip` is its pod's address, or the node's for a pod on the host's network."""

    pod: Pod
    container: Container
    container_id: str
    ip: str


def failure(output: str) -> Attempt:
    """A failed attempt."""
    return Attempt(verdict=AttemptResult.FAILURE, output=output)


def is_plain_answer(error: OSError) -> bool:
    """Whether the server answered a TLS handshake without TLS."""
    return isinstance(error, ssl.SSLError) and error.reason in PLAIN_ANSWERS


def connect_failure(address: str, error: OSError) -> str:
    """Why a connection could not be made, in the format of Go's net package: people search logs for these texts."""
    if isinstance(error, TimeoutError):
        return f"dial tcp {address}: i/o timeout"
    if isinstance(error, ssl.SSLError):  # its errno is not the kernel's
        plain = "http: server gave HTTP response to HTTPS client"
        return plain if is_plain_answer(error) else f"tls: {error.reason or error}"
    number = error.errno
    if number is None or number not in errno.errorcode:
        return f"dial tcp {address}: {error}"
    return f"dial tcp {address}: connect: {os.strerror(number).lower()}"
