"""Removes logs that nobody needs: those of removed containers, folders of removed pods, links that lead nowhere.

Calls block: run them in a thread.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator

import msgspec

from podwright.agent.gc.dead import uid_of_log_directory
from podwright.linux.files import remove_file

log = logging.getLogger(__name__)

LINK_ENDING = ".log"


class DanglingLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link to an absent log. `pod_uid` is empty if it does not lead to the pods' logs."""

    path: str
    container_id: str
    pod_uid: str


def remove_logs(root: str, log_path: str) -> None:
    """Remove a container's log and its rotated parts. A path outside of `root` is ignored."""
    directory, _, name = log_path.rpartition("/")
    if not name or not os.path.realpath(directory).startswith(f"{os.path.realpath(root)}/"):
        return
    with contextlib.suppress(FileNotFoundError):
        for each in os.listdir(directory):
            if each == name or each.startswith(f"{name}."):
                remove_file(f"{directory}/{each}")


def remove_log_directories(root: str, is_removable: Callable[[str], bool]) -> None:
    """Remove the folders of pods that are gone."""
    for name in _names(root):
        uid = uid_of_log_directory(name)
        if uid and is_removable(uid):
            try:
                shutil.rmtree(f"{root}/{name}")
            except OSError as failure:
                log.warning("cannot remove the logs of a pod: path=%s/%s error=%s", root, name, failure)


def dangling_links(directory: str, root: str) -> Iterator[DanglingLink]:
    """The links that lead nowhere. `root` has the logs of pods."""
    for name in _names(directory):
        path = f"{directory}/{name}"
        if not name.endswith(LINK_ENDING) or not os.path.islink(path) or os.path.exists(path):
            continue
        with contextlib.suppress(FileNotFoundError):
            inside = os.readlink(path).removeprefix(f"{root.rstrip('/')}/")
            yield DanglingLink(
                path=path,
                container_id=name.removesuffix(LINK_ENDING).rpartition("-")[2],
                pod_uid=uid_of_log_directory(inside.partition("/")[0]),
            )


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
