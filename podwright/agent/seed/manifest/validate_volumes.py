"""Faults of volumes and of their mounts. Pure; called by `validate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from podwright.agent.seed.manifest.container import Container
from podwright.agent.seed.manifest.names import is_inner_path, is_label
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.manifest.problems import Problem
from podwright.agent.seed.manifest.volume import DownwardApiFile, KeyToPath, Volume, VolumeProjection
from podwright.errors import InvalidArgument
from podwright.k8s.quantity import parse_nano

MODE_MAX = 0o777


def validate_volumes(pod: Pod) -> Iterator[Problem]:
    """Names, one source each, and what the sources hold."""
    seen: set[str] = set()
    for index, volume in enumerate(pod.spec.volumes):
        path = f"spec.volumes[{index}]"
        if not is_label(volume.name):
            yield Problem(path=f"{path}.name", message=f"{volume.name!r} is not a DNS label")
        if volume.name in seen:
            yield Problem(path=f"{path}.name", message=f"{volume.name} is given twice")
        seen.add(volume.name)
        yield from _source(path, volume)


def _source(path: str, volume: Volume) -> Iterator[Problem]:
    names = ("emptyDir", "hostPath", "configMap", "secret", "downwardAPI", "projected")
    sources = (
        volume.empty_dir,
        volume.host_path,
        volume.config_map,
        volume.secret,
        volume.downward_api,
        volume.projected,
    )
    given = [name for name, source in zip(names, sources, strict=True) if source is not None]
    if len(given) > 1:
        yield Problem(path=path, message=f"has more than one source: {', '.join(given)}")
    if volume.empty_dir is not None and volume.empty_dir.size_limit is not None:
        yield from _size(f"{path}.emptyDir.sizeLimit", volume.empty_dir.size_limit)
    if volume.host_path is not None and (
        not volume.host_path.path.startswith("/") or ".." in volume.host_path.path.split("/")
    ):
        yield Problem(path=f"{path}.hostPath.path", message="is not an absolute path without '..'")
    if volume.config_map is not None:
        yield from _files(f"{path}.configMap", volume.config_map.items, volume.config_map.default_mode)
    if volume.secret is not None:
        yield from _files(f"{path}.secret", volume.secret.items, volume.secret.default_mode)
    if volume.downward_api is not None:
        yield from _files(f"{path}.downwardAPI", volume.downward_api.items, volume.downward_api.default_mode)
    if volume.projected is not None:
        yield from _files(f"{path}.projected", (), volume.projected.default_mode)
        for index, projection in enumerate(volume.projected.sources):
            yield from _projection(f"{path}.projected.sources[{index}]", projection)


def _projection(path: str, projection: VolumeProjection) -> Iterator[Problem]:
    objects = [item for item in (projection.config_map, projection.secret) if item is not None]
    if len(objects) + (projection.downward_api is not None) != 1:
        yield Problem(path=path, message="needs exactly one of configMap, secret and downwardAPI")
    for item in objects:
        yield from _files(path, item.items, MODE_MAX)
    if projection.downward_api is not None:
        yield from _files(path, projection.downward_api.items, MODE_MAX)


def _files(path: str, items: Sequence[KeyToPath | DownwardApiFile], default_mode: int) -> Iterator[Problem]:
    if not 0 <= default_mode <= MODE_MAX:
        yield Problem(path=f"{path}.defaultMode", message="is not in 0 to 0777 (octal) or 511 (decimal)")
    for index, item in enumerate[KeyToPath | DownwardApiFile](items):
        here = f"{path}.items[{index}]"
        if not is_inner_path(item.path) or item.path.startswith(".."):
            yield Problem(path=f"{here}.path", message=f"{item.path!r} is not a relative path without '..'")
        if item.mode is not None and not 0 <= item.mode <= MODE_MAX:
            yield Problem(path=f"{here}.mode", message="is not in 0 to 0777 (octal) or 511 (decimal)")


def _size(path: str, quantity: str | float) -> Iterator[Problem]:
    try:
        nano = parse_nano(quantity)
    except InvalidArgument as failure:
        yield Problem(path=path, message=str(failure))
        return
    if nano < 0:
        yield Problem(path=path, message="is negative")


def validate_mounts(path: str, container: Container, volumes: set[str]) -> Iterator[Problem]:
    """A container's volumeMounts against the pod's volumes."""
    seen: set[str] = set()
    for index, mount in enumerate(container.volume_mounts):
        here = f"{path}.volumeMounts[{index}]"
        if mount.name not in volumes:
            yield Problem(path=f"{here}.name", message=f"no volume is named {mount.name!r}")
        if not mount.mount_path or ":" in mount.mount_path:
            yield Problem(path=f"{here}.mountPath", message="is empty or has a ':'")
        if mount.mount_path in seen:
            yield Problem(path=f"{here}.mountPath", message=f"{mount.mount_path} is used twice")
        seen.add(mount.mount_path)
        if mount.sub_path and mount.sub_path_expr:
            yield Problem(path=f"{here}.subPathExpr", message="excludes subPath")
        for name, value in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
            if value and not is_inner_path(value):
                yield Problem(path=f"{here}.{name}", message="is not a relative path without '..'")
        if mount.mount_propagation == "Bidirectional" and not container.security_context.privileged:
            message = "Bidirectional needs a privileged container"
            yield Problem(path=f"{here}.mountPropagation", message=message)
