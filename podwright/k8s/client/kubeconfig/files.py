"""Reads a kubeconfig file, strictly, and the files that it names."""

from __future__ import annotations

import os

from msgspec.structs import replace

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.k8s.client.kubeconfig.model import KubeConfig, KubeconfigCluster, KubeUser
from podwright.k8s.problems import ManifestError
from podwright.k8s.reading.documents import read_documents
from podwright.k8s.reading.strict import read_object

_HINT = "the form is that of kubectl's kubeconfig files"


def read(path: str) -> KubeConfig:
    """The file, with the paths in it made absolute: relative ones begin at the file's folder.

    Raises FailedPrecondition for a file that cannot be read, InvalidArgument (ManifestError) for what is in it.
    """
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
