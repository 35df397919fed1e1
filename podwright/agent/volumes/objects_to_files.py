"""The files that ConfigMaps, Secrets and fields of the pod become. Pure.

The messages are the kubelet's, because people search for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from podwright.agent.volumes.plans import PayloadFile
from podwright.agent.volumes.ports import DownwardApi
from podwright.errors import FailedPrecondition, NotFound, PodwrightError
from podwright.k8s.objects import ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret

DEFAULT_MODE = 0o644
Files = dict[str, PayloadFile]


def config_map_files(
    name: str, found: ConfigMap | None, items: Sequence[KeyToPath], mode: int | None, *, optional: bool
) -> Files:
    """The files of a ConfigMap, by path. Raises NotFound for one that is missing, or misses a chosen key."""
    if found is None and not optional:
        raise NotFound(f'configmap "{name}" not found')
    data: dict[str, bytes] = {}
    if found is not None:
        data = {**found.binary_data, **{key: text.encode() for key, text in found.data.items()}}
    return _chosen(data, items, mode, "configmap references non-existent config key", optional=optional)


def secret_files(
    name: str, found: Secret | None, items: Sequence[KeyToPath], mode: int | None, *, optional: bool
) -> Files:
    """The files of a Secret, by path. Raises NotFound for one that is missing, or misses a chosen key."""
    if found is None and not optional:
        raise NotFound(f'secret "{name}" not found')
    data: dict[str, bytes] = {}
    if found is not None:  # a Secret from a file may have stringData, which an API server turns into data
        data = {**found.data, **{key: text.encode() for key, text in found.string_data.items()}}
    return _chosen(data, items, mode, "references non-existent secret key", optional=optional)


def downward_files(pod: Pod, downward: DownwardApi, items: Sequence[DownwardAPIVolumeFile], mode: int | None) -> Files:
    """The files of the downward API, by path. Raises FailedPrecondition with every field that has no value."""
    files, problems = {}, []
    for item in items:
        text = ""
        try:
            if item.field_ref is not None:
                text = downward.field_text(pod, item.field_ref)
            elif item.resource_field_ref is not None:
                text = downward.resource_text(pod, item.resource_field_ref)
        except PodwrightError as failure:
            problems.append(failure)
        files[item.path] = PayloadFile(path=item.path, data=text.encode(), mode=_mode(item.mode, mode))
    raise_together(problems)
    return files


def raise_together(problems: Sequence[PodwrightError]) -> None:
    """Raise the problem, or several in one error (in brackets, as the kubelet joins them), if there are any."""
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise FailedPrecondition(f"[{', '.join(str(problem) for problem in problems)}]")


def _chosen(
    data: Mapping[str, bytes], items: Sequence[KeyToPath], mode: int | None, problem: str, *, optional: bool
) -> Files:
    files: Files = {}
    for item in items or [KeyToPath(key=key, path=key) for key in data]:
        if item.key in data:
            files[item.path] = PayloadFile(path=item.path, data=data[item.key], mode=_mode(item.mode, mode))
        elif not optional:
            raise NotFound(f"{problem}: {item.key}")
    return files


def _mode(own: int | None, default: int | None) -> int:
    if own is not None:
        return own
    return default if default is not None else DEFAULT_MODE
