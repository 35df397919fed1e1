"""Values that the agent reads but cannot keep to, named by path like fields that it does not honour. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from podwright.agent.seed.manifest.pod import Pod

KEPT_RESOURCES = frozenset({"cpu", "memory"})
PULL_SECRET_TYPES = frozenset({"kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"})


def values_not_honoured(pod: Pod, secret_types: Mapping[str, str]) -> Iterator[str]:
    """Paths. `secret_types` is the type of each Secret in the file."""
    spec = pod.spec
    for index, volume in enumerate(spec.volumes):
        # On disk a limit is kept by eviction, which needs a node that watches; tmpfs keeps it by itself.
        if volume.empty_dir is not None and volume.empty_dir.size_limit is not None and not volume.empty_dir.medium:
            yield f"spec.volumes[{index}].emptyDir.sizeLimit"
    for path, container in pod.all_containers():
        for kind, quantities in (("limits", container.resources.limits), ("requests", container.resources.requests)):
            for name in quantities:
                mirrored = kind == "requests" and name in container.resources.limits
                if name not in KEPT_RESOURCES and not name.startswith("hugepages-") and not mirrored:
                    yield f"{path}.resources.{kind}.{name}"
    for index, reference in enumerate(spec.image_pull_secrets):
        if secret_types.get(reference.name) not in PULL_SECRET_TYPES:
            yield f"spec.imagePullSecrets[{index}]"
