"""The defaults that depend on other fields, as the API server fills them in for pods it stores."""

from __future__ import annotations

from msgspec.structs import replace

from podwright.agent.seed.manifest.container import Container, ContainerPort, Quantities, Resources
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.manifest.volume import EmptyDir, Volume


def with_defaults(pod: Pod) -> Pod:
    """The pod as the API server would return it."""
    spec = pod.spec
    host_network = spec.host_network
    return replace(
        pod,
        spec=replace(
            spec,
            init_containers=tuple(_container(item, host_network=host_network) for item in spec.init_containers),
            containers=tuple(_container(item, host_network=host_network) for item in spec.containers),
            volumes=tuple(_volume(volume) for volume in spec.volumes),
        ),
    )


def default_pull_policy(image: str) -> str:
    """Always for `latest` and for no tag, IfNotPresent for tags and digests."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if not digest and tag in ("", "latest") else "IfNotPresent"


def _container(container: Container, *, host_network: bool) -> Container:
    return replace(
        container,
        image_pull_policy=container.image_pull_policy or default_pull_policy(container.image),
        resources=_resources(container.resources),
        ports=tuple(_port(port) for port in container.ports) if host_network else container.ports,
    )


def _resources(resources: Resources) -> Resources:
    requests: Quantities = {**resources.limits, **resources.requests}
    return replace(resources, requests=requests)


def _port(port: ContainerPort) -> ContainerPort:
    return port if port.host_port else replace(port, host_port=port.container_port)


def _volume(volume: Volume) -> Volume:
    given = (volume.host_path, volume.config_map, volume.secret, volume.downward_api, volume.projected)
    return volume if any(given) or volume.empty_dir else replace(volume, empty_dir=EmptyDir())
