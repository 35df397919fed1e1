"""Makes pods of the bytes of a manifest: reads them, adds the API's defaults, and validates as the API server does."""

from __future__ import annotations

import logging

from podwright.errors import InvalidArgument
from podwright.k8s import codec
from podwright.k8s.defaults.apply import with_defaults
from podwright.k8s.objects import Pod
from podwright.k8s.problems import ManifestError
from podwright.k8s.reading.documents import Document, read_documents
from podwright.k8s.reading.strict import read_object
from podwright.k8s.reading.tree import plain
from podwright.k8s.validation.pods import validate_pod

log = logging.getLogger(__name__)

PROBLEMS_SHOWN = 10


def read_pod(data: bytes, origin: str) -> Pod:
    """The one pod of a file. Raises InvalidArgument, which names `origin`."""
    pods = read_pods(data, origin)
    if len(pods) != 1:
        raise InvalidArgument(f"{origin} holds {len(pods)} pods", hint="write one pod into each file")
    return pods[0]


def read_pods(data: bytes, origin: str) -> list[Pod]:
    """The pods of a document, or of a PodList. Raises InvalidArgument, which names `origin`."""
    try:
        return [_read(document, origin) for document in read_documents(data)]
    except InvalidArgument as failure:
        raise InvalidArgument(f"{origin}: {failure.message}", hint=failure.hint) from failure


def _read(document: Document, origin: str) -> Pod:
    if (document.api_version, document.kind) != ("v1", "Pod"):
        raise InvalidArgument(
            f"{document.label()} is {document.api_version or '?'}/{document.kind or '?'}, not a v1/Pod"
        )
    pod = with_defaults(_typed(document, origin))
    if problems := list(validate_pod(pod)):
        raise ManifestError(problems)
    return pod


def _typed(document: Document, origin: str) -> Pod:
    """The typed object. Like a kubelet it ignores unknown fields and similar faults, and logs them."""
    try:
        return read_object(document, Pod)
    except ManifestError as strict:
        pod = codec.from_document(plain(document.root), Pod)
        for problem in strict.problems[:PROBLEMS_SHOWN]:
            log.warning("a manifest is not as it should be: file=%s problem=%s", origin, problem)
        if (more := len(strict.problems) - PROBLEMS_SHOWN) > 0:
            log.warning("a manifest is not as it should be: file=%s more_problems=%d", origin, more)
        return pod
