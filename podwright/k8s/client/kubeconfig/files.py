"""Kubeconfig files to one configuration: read strictly, paths made absolute, several merged as kubectl does it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.k8s.client.kubeconfig.model import Context, KubeConfig, KubeconfigCluster, KubeUser
from podwright.k8s.problems import ManifestError
from podwright.k8s.reading.documents import read_documents
from podwright.k8s.reading.strict import read_object

V = TypeVar("V")

VARIABLE = "KUBECONFIG"
DEFAULT = ".kube/config"
_HINT = "the form is that of kubectl's kubeconfig files"


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """Several files as one: the first that names a thing wins. Each comes with its file, for messages."""

    files: tuple[str, ...]
    current_context: str
    clusters: Mapping[str, tuple[str, KubeconfigCluster]]
    users: Mapping[str, tuple[str, KubeUser]]
    contexts: Mapping[str, tuple[str, Context]]


def paths_of(environ: Mapping[str, str]) -> list[str]:
    """The files that the environment names: $KUBECONFIG (missing ones are skipped), or ~/.kube/config."""
    if listed := [path for path in environ.get(VARIABLE, "").split(":") if path]:
        return [path for path in listed if os.path.exists(path)] or listed[:1]
    return [os.path.join(environ.get("HOME", "/root"), DEFAULT)]


def read_all(paths: Sequence[str]) -> Merged:
    """Raises FailedPrecondition for files that cannot be read, InvalidArgument (ManifestError) for what is in them."""
    files = [(path, read_one(path)) for path in paths]
    return Merged(
        files=tuple(paths),
        current_context=next((config.current_context for _, config in files if config.current_context), ""),
        clusters=_first((file, item.name, item.cluster) for file, config in files for item in config.clusters),
        users=_first((file, item.name, item.user) for file, config in files for item in config.users),
        contexts=_first((file, item.name, item.context) for file, config in files for item in config.contexts),
    )


def read_one(path: str) -> KubeConfig:
    """One file, with the paths in it made absolute: relative ones begin at the file's folder."""
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as failure:
        raise FailedPrecondition(f"kubeconfig {path} cannot be read: {failure.strerror}") from failure
    try:
        documents = read_documents(text, file=path)
    except ManifestError as failure:
        raise InvalidArgument(f"kubeconfig {path}: {failure}", hint=_HINT) from failure
    if len(documents) != 1:
        raise InvalidArgument(f"kubeconfig {path}: {len(documents)} documents where one is needed", hint=_HINT)
    config = read_object(documents[0], KubeConfig, prefix=path)
    folder = os.path.dirname(os.path.abspath(path))
    return replace(
        config,
        clusters=tuple(replace(item, cluster=_rooted_cluster(item.cluster, folder)) for item in config.clusters),
        users=tuple(replace(item, user=_rooted_user(item.user, folder)) for item in config.users),
    )


def _first(items: Iterable[tuple[str, str, V]]) -> dict[str, tuple[str, V]]:
    found: dict[str, tuple[str, V]] = {}
    for file, name, value in items:
        found.setdefault(name, (file, value))
    return found


def _rooted_cluster(cluster: KubeconfigCluster, folder: str) -> KubeconfigCluster:
    return replace(cluster, certificate_authority=_rooted(cluster.certificate_authority, folder))


def _rooted_user(user: KubeUser, folder: str) -> KubeUser:
    program = user.exec
    if program is not None and "/" in program.command:
        program = replace(program, command=_rooted(program.command, folder))
    return replace(
        user,
        client_certificate=_rooted(user.client_certificate, folder),
        client_key=_rooted(user.client_key, folder),
        token_file=_rooted(user.token_file, folder),
        exec=program,
    )


def _rooted(path: str, folder: str) -> str:
    return os.path.join(folder, path) if path else path


def read_file(path: str, where: str) -> bytes:
    """A file that a kubeconfig names. `where` names the entry. Raises FailedPrecondition."""
    if "\0" in path:
        raise FailedPrecondition(f"{where}: {path!r} cannot be the path of a file")
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as failure:
        raise FailedPrecondition(f"{where}: {path} cannot be read: {failure.strerror}") from failure
