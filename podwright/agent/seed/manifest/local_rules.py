"""What the API takes and a file run on one machine cannot mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from podwright.k8s.objects import Pod
from podwright.k8s.problems import Problem, invalid, required

_UID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9]{0,62}")


def local_rules(pod: Pod) -> Iterator[Problem]:
    """Faults beside those of `k8s.validation`."""
    metadata = pod.metadata
    if not metadata.name and metadata.generate_name:
        yield required("metadata.name", "nothing here makes a name from generateName")
    if metadata.uid and not _UID.fullmatch(metadata.uid):
        # It names directories.
        yield invalid("metadata.uid", metadata.uid, "must be of letters, digits and '-', 63 at most")
    if pod.spec.os is not None and pod.spec.os.name != "linux":
        yield Problem(path="spec.os.name", message=f"{pod.spec.os.name} is not supported here")
    for index, volume in enumerate(pod.spec.volumes):
        path = f"spec.volumes[{index}]"
        if volume.empty_dir is not None and volume.empty_dir.medium not in ("", "Memory"):
            message = f"{volume.empty_dir.medium} is not supported here"
            yield Problem(path=f"{path}.emptyDir.medium", message=message)
        if volume.host_path is not None and not volume.host_path.path.startswith("/"):
            yield invalid(f"{path}.hostPath.path", volume.host_path.path, "must be an absolute path")
