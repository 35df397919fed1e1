"""Reads typed objects from files: several files, folders, standard input, many documents in each.

Reading, defaults and validation are those of `podwright.k8s`. All faults of all files are raised together, each with
its file, line, object and field path.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from podwright.agent.run.kinds import READ, fault_of_kind, is_read, loss_of
from podwright.agent.run.places import STDIN, DocumentPlace, in_file, shown
from podwright.agent.run.rules import faults_of
from podwright.errors import InvalidArgument
from podwright.k8s.defaults.apply import with_defaults
from podwright.k8s.objects import ObjectMeta, PersistentVolume
from podwright.k8s.objects.base import Kind
from podwright.k8s.problems import ManifestError, Problem
from podwright.k8s.reading.documents import MANIFEST_LIMIT_BYTES, read_documents
from podwright.k8s.reading.strict import read_object

SUFFIXES = (".yaml", ".yml", ".json")
DEFAULT_NAMESPACE = "default"

K = TypeVar("K", bound=Kind)


class LoadedObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object: `given` as it is written, `value` with the API's defaults. Both have a namespace."""

    given: Kind
    value: Kind
    place: DocumentPlace

    @property
    def metadata(self) -> ObjectMeta:
        """The object's name and labels."""
        return metadata_of(self.value)


class Objects(msgspec.Struct, frozen=True, kw_only=True):
    """The objects of the files, in order. `warnings` name documents that are left out."""

    loaded: tuple[LoadedObject, ...]
    warnings: tuple[str, ...] = ()

    def of(self, cls: type[K]) -> list[K]:
        """The objects of one kind."""
        return [each.value for each in self.loaded if isinstance(each.value, cls)]


def metadata_of(value: Kind) -> ObjectMeta:
    """Any object's metadata."""
    metadata: ObjectMeta = getattr(value, "metadata", ObjectMeta())
    return metadata


def find_files(paths: Sequence[str]) -> list[str]:
    """The files that the paths name. A folder means its YAML and JSON files, by name. Raises InvalidArgument."""
    if paths.count(STDIN) > 1:
        raise InvalidArgument("standard input is named twice", hint="write - once")
    found: list[str] = []
    for path in paths:
        found += _in_folder(path) if path != STDIN and os.path.isdir(path) else [path]
    return list(dict.fromkeys(found))


def read_file(path: str) -> bytes:
    """A file's bytes. `-` is standard input. Raises InvalidArgument."""
    try:
        if path == STDIN:
            return sys.stdin.buffer.read(MANIFEST_LIMIT_BYTES + 1)
        with open(path, "rb", opener=_open_readable) as file:
            return file.read(MANIFEST_LIMIT_BYTES + 1)
    except OSError as failure:
        raise InvalidArgument(f"cannot read {shown(path)}: {failure.strerror or failure}") from failure


def load_files(paths: Sequence[str]) -> Objects:
    """The objects of all files. Raises InvalidArgument for unreadable files, ManifestError for faults."""
    return load_texts([(path, read_file(path)) for path in find_files(paths)])


def load_texts(texts: Iterable[tuple[str, bytes]]) -> Objects:
    """The objects of texts, each with its file's name. Raises ManifestError with every fault."""
    faults: list[Problem] = []
    warnings: list[str] = []
    loaded: list[LoadedObject] = []
    for file, text in texts:
        for place in _places(file, text, faults):
            if (fault := fault_of_kind(place.document)) is not None:
                faults.append(place.locate(fault))
            elif is_read(place.document):
                loaded += _load(place, faults)
            elif loss := loss_of(place.document):
                warnings.append(f"{place.at()}: {place.label} is left out: {loss}")
    faults += _duplicates(loaded)
    if faults:
        raise ManifestError(faults)
    return Objects(loaded=tuple(loaded), warnings=tuple(warnings))


def _in_folder(path: str) -> list[str]:
    try:
        names = sorted(os.listdir(path))
    except OSError as failure:
        raise InvalidArgument(f"cannot list {path}: {failure.strerror}") from failure
    chosen = [name for name in names if name.endswith(SUFFIXES) and not name.startswith(".")]
    files = [each for name in chosen if os.path.isfile(each := os.path.join(path, name))]
    if not files:
        raise InvalidArgument(f"{path} holds no manifests", hint=f"files end in {', '.join(SUFFIXES)}")
    return files


def _open_readable(path: str, flags: int) -> int:
    """Open a regular file, or a pipe such as a shell's `<(...)`. To read a device may never end."""
    fd = os.open(path, flags | os.O_CLOEXEC)
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        os.close(fd)
        raise OSError(0, "it is not a file")
    return fd


def _places(file: str, text: bytes, faults: list[Problem]) -> list[DocumentPlace]:
    try:
        documents = read_documents(text)
    except ManifestError as failure:
        faults += [in_file(file, problem) for problem in failure.problems]
        return []
    if not documents:
        faults.append(in_file(file, Problem(path="", message="it holds no documents")))
    return [DocumentPlace(file=file, document=document) for document in documents]


def _load(place: DocumentPlace, faults: list[Problem]) -> list[LoadedObject]:
    """The object, or an empty list if it has faults."""
    try:
        given = _with_namespace(read_object(place.document, READ[place.document.kind]))
    except ManifestError as failure:
        faults += [place.locate(problem) for problem in failure.problems]
        return []
    value = with_defaults(given)
    if found := list(faults_of(value)):
        faults += [place.locate(problem) for problem in found]
        return []
    return [LoadedObject(given=given, value=value, place=place)]


def _with_namespace(value: K) -> K:
    metadata = metadata_of(value)
    if isinstance(value, PersistentVolume) or metadata.namespace:
        return value
    return replace(value, metadata=replace(metadata, namespace=DEFAULT_NAMESPACE))


def _duplicates(loaded: Iterable[LoadedObject]) -> Iterable[Problem]:
    known: dict[tuple[str, str, str], DocumentPlace] = {}
    for each in loaded:
        metadata = each.metadata
        if not metadata.name:
            continue
        key = (type(each.value).__name__, metadata.namespace, metadata.name)
        if (first := known.get(key)) is not None:
            message = f"{key[1]}/{key[2]} is given twice: the first one is at {first.at()}"
            yield each.place.locate(Problem(path="metadata.name", message=message))
        else:
            known[key] = each.place
