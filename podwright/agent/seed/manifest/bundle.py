"""A file's text to one Pod with its ConfigMaps and Secrets. Called by `run`; raises ManifestError, prints nothing.

Reading, defaults and validation are those of `podwright.k8s`. What comes out is a view: the structs of this folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as replace_problem
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from podwright.agent.seed.manifest.honoured import unkept_fields
from podwright.agent.seed.manifest.local_rules import local_rules
from podwright.agent.seed.manifest.notes import values_not_honoured
from podwright.agent.seed.manifest.payload import PayloadObject
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.manifest.references import validate_references
from podwright.k8s import objects
from podwright.k8s.codec import to_document
from podwright.k8s.defaults.apply import with_defaults
from podwright.k8s.problems import ManifestError, Problem, duplicate, invalid, unsupported
from podwright.k8s.reading.documents import Document, read_documents
from podwright.k8s.reading.strict import read_object
from podwright.k8s.validation.config import validate_config_map, validate_secret
from podwright.k8s.validation.pods import validate_pod

KINDS = ("Pod", "ConfigMap", "Secret")

Readable = TypeVar("Readable", objects.Pod, objects.ConfigMap, objects.Secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodBundle:
    """What a file holds. `not_honoured` are the paths of fields that the run leaves out."""

    pod: Pod
    config_maps: Mapping[str, PayloadObject]
    secrets: Mapping[str, PayloadObject]
    not_honoured: tuple[str, ...] = ()


def load_bundle(text: str) -> PodBundle:
    """Parse, default and validate. Raises ManifestError with every fault that was found."""
    documents = read_documents(text)
    _refuse_other_kinds(documents)
    faults: list[Problem] = []
    pod = _read_pod(next(document for document in documents if document.kind == "Pod"), faults)
    namespace = pod.metadata.namespace if pod is not None else ""
    config_maps, map_notes = _config_maps(documents, namespace, faults)
    secrets, secret_notes = _secrets(documents, namespace, faults)
    if pod is None or faults:
        raise ManifestError(faults)
    unkept = list(unkept_fields(to_document(pod), Pod))
    faults += [Problem(path=field.path, message="is not supported here") for field in unkept if field.refused]
    view = _checked_view(with_defaults(pod), config_maps, secrets, faults)
    secret_types = {name: item.type for name, item in secrets.items()}
    notes = [field.path for field in unkept if not field.refused]
    notes += [*map_notes, *secret_notes, *values_not_honoured(view, secret_types)]
    notes += ["spec.dnsPolicy"] if pod.spec.dns_policy in ("ClusterFirst", "ClusterFirstWithHostNet") else []
    return PodBundle(pod=view, config_maps=config_maps, secrets=secrets, not_honoured=tuple(notes))


def _checked_view(
    pod: objects.Pod,
    config_maps: Mapping[str, PayloadObject],
    secrets: Mapping[str, PayloadObject],
    faults: list[Problem],
) -> Pod:
    """The agent's own structs of a pod that the API would take, and that one machine can run."""
    faults += [*validate_pod(pod), *local_rules(pod)]
    if faults:
        raise ManifestError(faults)
    view = msgspec.convert(to_document(pod), Pod)
    faults += validate_references(view, config_maps, secrets)
    if faults:
        raise ManifestError(faults)
    return view


def _refuse_other_kinds(documents: list[Document]) -> None:
    problems = []
    if not documents:
        problems.append(Problem(path="", message="is empty; exactly one Pod is needed"))
    for document in documents:
        if not document.kind:
            problems.append(Problem(path=document.label(), message="has no kind; exactly one Pod is needed"))
        elif document.kind not in KINDS:
            message = f"is a {document.kind}; only one Pod and its ConfigMaps and Secrets can be run"
            problems.append(Problem(path=document.label(), message=message))
    pods = [document for document in documents if document.kind == "Pod"]
    if documents and not problems and len(pods) != 1:
        found = ", ".join(document.label() for document in pods) or "none"
        problems.append(Problem(path="", message=f"exactly one Pod is needed, found {found}"))
    if problems:
        raise ManifestError(problems)


def _read_pod(document: Document, faults: list[Problem]) -> objects.Pod | None:
    return _read(document, objects.Pod, faults, prefix="")


def _config_maps(
    documents: list[Document], namespace: str, faults: list[Problem]
) -> tuple[dict[str, PayloadObject], list[str]]:
    found, notes = {}, []
    for document, item in _beside(documents, objects.ConfigMap, namespace, faults):
        faults += _prefixed(document, validate_config_map(item))
        payload = {**{key: value.encode() for key, value in item.data.items()}, **item.binary_data}
        found[item.metadata.name] = PayloadObject(payload=payload, binary=frozenset(item.binary_data))
        notes += _metadata_notes(document, item)
    return found, notes


def _secrets(
    documents: list[Document], namespace: str, faults: list[Problem]
) -> tuple[dict[str, PayloadObject], list[str]]:
    found, notes = {}, []
    for document, raw in _beside(documents, objects.Secret, namespace, faults):
        item = with_defaults(raw)
        faults += _prefixed(document, validate_secret(item))
        found[item.metadata.name] = PayloadObject(payload=item.data, type=item.type)
        notes += _metadata_notes(document, raw)
    return found, notes


def _metadata_notes(document: Document, item: objects.ConfigMap | objects.Secret) -> list[str]:
    kept = {"name", "namespace", "uid", "labels", "annotations"}
    given = to_document(item.metadata)
    return [f"{document.label()}: metadata.{key}" for key in given if key not in kept]


def _beside(
    documents: list[Document], cls: type[Readable], namespace: str, faults: list[Problem]
) -> Iterator[tuple[Document, Readable]]:
    """The objects of a kind, with names of their own and in the Pod's namespace."""
    names: set[str] = set()
    for document in documents:
        if document.kind != cls.__name__:
            continue
        item = _read(document, cls, faults, prefix=document.label())
        if item is None:
            continue
        metadata = item.metadata
        if metadata.name in names:
            faults.append(duplicate(f"{document.label()}: metadata.name", metadata.name))
        names.add(metadata.name)
        if namespace and metadata.namespace != namespace:
            path = f"{document.label()}: metadata.namespace"
            faults.append(invalid(path, metadata.namespace, f"the Pod's is {namespace}"))
        yield document, item


def _read(document: Document, cls: type[Readable], faults: list[Problem], *, prefix: str) -> Readable | None:
    """The object in its namespace, or None when it has faults."""
    if document.api_version != cls.API_VERSION:
        path = f"{prefix}: apiVersion" if prefix else "apiVersion"
        faults.append(unsupported(path, document.api_version, (cls.API_VERSION,)))
    try:
        item = read_object(document, cls, prefix=prefix)
    except ManifestError as failure:
        faults += failure.problems
        return None
    namespace = item.metadata.namespace or "default"
    return replace(item, metadata=replace(item.metadata, namespace=namespace))


def _prefixed(document: Document, problems: Iterable[Problem]) -> Iterator[Problem]:
    for problem in problems:
        path = f"{document.label()}: {problem.path}" if problem.path else document.label()
        yield replace_problem(problem, path=path)
