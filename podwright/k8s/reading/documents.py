"""A manifest's text to its documents: YAML with several documents, JSON, and the items of `kind: List`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from podwright.k8s.problems import ManifestError, Problem
from podwright.k8s.reading.json import parse_json
from podwright.k8s.reading.tree import Fields, Node, Scalar, Sequence
from podwright.k8s.reading.yaml import parse_yaml

LIST = "List"
MANIFEST_LIMIT_BYTES = 10 * 1024 * 1024  # the kubelet's limit for a static pod file


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One object of a manifest, not yet typed: `number` counts from 1, `file` is empty where there is only one."""

    number: int
    root: Fields
    file: str = ""
    item_kind: str = ""  # what an item of a typed list is, which need not say it
    item_version: str = ""

    @property
    def kind(self) -> str:
        """The kind in the document, or ""."""
        return _text(self.root, "kind") or self.item_kind

    @property
    def api_version(self) -> str:
        """Its group and version."""
        return _text(self.root, "apiVersion") or self.item_version

    @property
    def name(self) -> str:
        """metadata.name, for messages."""
        metadata = self.root.entries.get("metadata")
        return _text(metadata.value, "name") if metadata and isinstance(metadata.value, Fields) else ""

    def label(self) -> str:
        """How messages name it."""
        words = " ".join(word for word in (self.kind, self.name) if word)
        where = f"{self.file}: " if self.file else ""
        return f"{where}document {self.number}" + (f" ({words})" if words else "")


def read_documents(text: str | bytes, *, file: str = "") -> list[Document]:
    """The documents that hold something. Raises ManifestError for text that cannot be taken apart."""
    if len(text) > MANIFEST_LIMIT_BYTES:
        raise ManifestError([Problem(path="", message=f"longer than {MANIFEST_LIMIT_BYTES} bytes")])
    documents: list[Document] = []
    for number, root in enumerate(_roots(_decoded(text)), start=1):
        if isinstance(root, Scalar) and root.value is None:
            continue
        if not isinstance(root, Fields):
            raise ManifestError([Problem(path=f"document {number}", message="is not a mapping of fields")])
        documents += _expanded(Document(number=number, root=root, file=file))
    return documents


def _decoded(text: str | bytes) -> str:
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        message = f"is not UTF-8: byte {failure.start} cannot be read"
        raise ManifestError([Problem(path="", message=message)]) from failure


def _roots(text: str) -> list[Node]:
    """As Kubernetes' YAMLOrJSONDecoder: JSON if it begins like JSON and is JSON, otherwise YAML."""
    if text.lstrip()[:1] == "{":
        try:
            return parse_json(text)
        except ValueError:  # flow style is YAML, and YAML's message names the line
            pass
    return list(parse_yaml(text))


def _expanded(document: Document) -> Iterator[Document]:
    """The document, or the items of a List, or of a typed one such as a PodList."""
    items = document.root.entries.get("items")
    if not document.kind.endswith(LIST) or items is None:
        yield document
        return
    if not isinstance(items.value, Sequence):
        raise ManifestError([Problem(path=f"{document.label()}: items", message="is not a list", line=items.line)])
    for item in items.value.items:
        if not isinstance(item, Fields):
            message = "is not a mapping of fields"
            raise ManifestError([Problem(path=f"{document.label()}: items", message=message, line=item.line)])
        yield Document(
            number=document.number,
            root=item,
            file=document.file,
            item_kind=document.kind.removesuffix(LIST),
            item_version=document.api_version if document.kind != LIST else "",
        )


def _text(root: Fields, key: str) -> str:
    entry = root.entries.get(key)
    value = entry.value.value if entry and isinstance(entry.value, Scalar) else ""
    return value if isinstance(value, str) else ""
