"""How a node agent is started: the words of its command line, and its configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Both the kubelet and `podwright agent` take these.
KUBELET_FLAGS = ("--config={config}", "--root-dir={root}", "--cert-dir={root}/pki", "--hostname-override={node}")
# No signal evicts a pod: a machine short of disk or memory must not change what is measured.
NO_EVICTION = dict.fromkeys(
    ("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree"), "0%"
)
MAX_PODS = 2000
# What a command line may name in braces, and the field of a Site that it stands for.
PLACEHOLDERS = {
    "node": "node",
    "endpoint": "endpoint",
    "manifests": "manifests",
    "config": "config",
    "root": "root",
    "logs": "logs",
    "cgroup": "cgroup",
    "port": "pods_port",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a node agent is given: a node name, paths, an endpoint, ports on loopback, and a cgroup.

    `GET /pods` is answered on `pods_port` without authentication.
    """

    node: str
    folder: str
    endpoint: str
    cgroup: str
    pods_port: int
    server_port: int

    @property
    def manifests(self) -> str:
        """The folder of static pods."""
        return f"{self.folder}/manifests"

    @property
    def root(self) -> str:
        """The root directory, where the volumes of pods are."""
        return f"{self.folder}/root"

    @property
    def logs(self) -> str:
        """Where the log files of containers go."""
        return f"{self.folder}/logs"

    @property
    def config(self) -> str:
        """The file that `kubelet_configuration` is written to."""
        return f"{self.folder}/kubelet.json"

    def placeholders(self) -> Mapping[str, str]:
        """What a command line may name in braces: the names of PLACEHOLDERS."""
        return {name: str(getattr(self, field)) for name, field in PLACEHOLDERS.items()}


def command_line(command: tuple[str, ...], site: Site) -> tuple[str, ...]:
    """The command with its placeholders filled in. One that has none gets a kubelet's flags."""
    words = command if has_placeholders(command) else (*command, *KUBELET_FLAGS)
    return tuple(_filled(word, site.placeholders()) for word in words)


def has_placeholders(command: tuple[str, ...]) -> bool:
    """Whether the command says itself where its options go."""
    return any(f"{{{name}}}" in word for name in PLACEHOLDERS for word in command)


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def kubelet_configuration(site: Site) -> dict[str, object]:
    """A KubeletConfiguration (kubelet.config.k8s.io/v1beta1) for a node of static pods alone.

    It keeps the agent on loopback, away from the host's firewall, and out of every folder that is not the site's.
    """
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": site.endpoint,
        "staticPodPath": site.manifests,
        "podLogsDir": site.logs,
        "volumePluginDir": f"{site.folder}/plugins",
        "address": "127.0.0.1",
        "port": site.server_port,
        "readOnlyPort": site.pods_port,
        "healthzPort": 0,
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "makeIPTablesUtilChains": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": site.cgroup,
        "enforceNodeAllocatable": ["none"],
        "localStorageCapacityIsolation": False,
        "failCgroupV1": False,
        "failSwapOn": False,
        "maxPods": MAX_PODS,
        "evictionHard": NO_EVICTION,
        "imageGCHighThresholdPercent": 100,
    }
