"""A file's text to one Pod with its ConfigMaps and Secrets. Called by `run`; raises ManifestError, prints nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from podwright.agent.seed.manifest.defaults import with_defaults
from podwright.agent.seed.manifest.documents import RawDocument, parse_documents
from podwright.agent.seed.manifest.names import is_config_key, is_subdomain
from podwright.agent.seed.manifest.notes import values_not_honoured
from podwright.agent.seed.manifest.objects import ConfigMap, Secret, config_map_payload, secret_payload
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.manifest.problems import ManifestError, Problem
from podwright.agent.seed.manifest.strict import NodeType, Walk
from podwright.agent.seed.manifest.validate import validate
from podwright.agent.seed.manifest.validate_references import validate_references

KINDS = ("Pod", "ConfigMap", "Secret")


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadObject:
    """A ConfigMap or Secret as the pod uses it: its bytes by key, and a Secret's type."""

    payload: Mapping[str, bytes]
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodBundle:
    """What a file holds. `not_honoured` are the paths of fields that the run leaves out."""

    pod: Pod
    config_maps: Mapping[str, PayloadObject]
    secrets: Mapping[str, PayloadObject]
    not_honoured: tuple[str, ...] = ()


def load_bundle(text: str) -> PodBundle:
    """Parse, default and validate. Raises ManifestError with every fault that was found."""
    documents = parse_documents(text)
    _refuse_other_kinds(documents)
    walk = Walk()
    raw_pod = next(document for document in documents if document.kind == "Pod")
    pod = walk.decode(raw_pod.content, Pod)
    objects = {kind: _objects(walk, documents, kind, pod) for kind in ("ConfigMap", "Secret")}
    if pod is None or walk.problems:
        raise ManifestError(walk.problems)
    pod = with_defaults(pod)
    secret_types = {name: item.type for name, item in objects["Secret"].items()}
    bundle = PodBundle(
        pod=pod,
        config_maps=objects["ConfigMap"],
        secrets=objects["Secret"],
        not_honoured=(*walk.warnings, *values_not_honoured(pod, secret_types)),
    )
    problems = [
        *validate(bundle.pod),
        *validate_references(bundle.pod, _keys(bundle.config_maps), _keys(bundle.secrets)),
    ]
    if problems:
        raise ManifestError(problems)
    return bundle


def _keys(objects: Mapping[str, PayloadObject]) -> dict[str, frozenset[str]]:
    return {name: frozenset(item.payload) for name, item in objects.items()}


def _refuse_other_kinds(documents: list[RawDocument]) -> None:
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


def _objects(walk: Walk, documents: list[RawDocument], kind: str, pod: Pod | None) -> dict[str, PayloadObject]:
    found: dict[str, PayloadObject] = {}
    for document in documents:
        if document.kind != kind:
            continue
        item: ConfigMap | Secret | None = (
            _decode_in(walk, document, ConfigMap) if kind == "ConfigMap" else _decode_in(walk, document, Secret)
        )
        if item is None:
            continue
        _check_names(walk, document, item, pod, found)
        found[item.metadata.name] = _payload(walk, document, item)
    return found


def _decode_in(walk: Walk, document: RawDocument, cls: type[NodeType]) -> NodeType | None:
    """Decode with the document's name before every path."""
    own = Walk(values=walk.values)
    item = own.decode(document.content, cls)
    walk.values = own.values
    walk.warnings += [f"{document.label()}: {path}" for path in own.warnings]
    for problem in own.problems:
        walk.fault(f"{document.label()}: {problem.path}", problem.message)
    return item


def _check_names(
    walk: Walk, document: RawDocument, item: ConfigMap | Secret, pod: Pod | None, found: Mapping[str, object]
) -> None:
    label, metadata = document.label(), item.metadata
    if not is_subdomain(metadata.name):
        walk.fault(f"{label}: metadata.name", f"{metadata.name!r} is not a DNS name")
    if metadata.name in found:
        walk.fault(f"{label}: metadata.name", "is given twice")
    if pod is not None and metadata.namespace != pod.metadata.namespace:
        message = f"is {metadata.namespace}, the Pod's is {pod.metadata.namespace}"
        walk.fault(f"{label}: metadata.namespace", message)


def _payload(walk: Walk, document: RawDocument, item: ConfigMap | Secret) -> PayloadObject:
    label = document.label()

    def fault(problem: Problem) -> None:
        walk.fault(f"{label}: {problem.path}", problem.message)

    payload = config_map_payload(item, fault) if isinstance(item, ConfigMap) else secret_payload(item, fault)
    for key in payload:
        if not is_config_key(key):
            walk.fault(f"{label}: data[{key}]", "keys are of letters, digits, '-', '_' and '.'")
    return PayloadObject(payload=payload, type=item.type if isinstance(item, Secret) else "")
