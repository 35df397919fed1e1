"""The command line of a node agent, and its configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

# Both the kubelet and `podwright agent` have these flags.
KUBELET_FLAGS = ("--config={config}", "--root-dir={root}", "--cert-dir={root}/pki", "--hostname-override={node}")
# No eviction: a machine that lacks disk or memory must not change the result.
NO_EVICTION = dict.fromkeys(
    ("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree"), "0%"
)
MAX_PODS = 2000
# The placeholders of a command line, and their fields of a Site.
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


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What a node agent gets: a node name, paths, an endpoint, ports on loopback, and a cgroup.

    `GET /pods` is served on `pods_port` without authentication.
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
        """The root directory, with the volumes of pods."""
        return f"{self.folder}/root"

    @property
    def logs(self) -> str:
        """The directory of containers' log files."""
        return f"{self.folder}/logs"

    @property
    def config(self) -> str:
        """The file for `kubelet_configuration`."""
        return f"{self.folder}/kubelet.json"

    def placeholders(self) -> Mapping[str, str]:
        """The values of PLACEHOLDERS for a command line."""
        return {name: str(getattr(self, field)) for name, field in PLACEHOLDERS.items()}


def command_line(command: tuple[str, ...], site: Site) -> tuple[str, ...]:
    """The command with its placeholders filled in. A command without any gets a kubelet's flags."""
    words = command if has_placeholders(command) else (*command, *KUBELET_FLAGS)
    return tuple(_filled(word, site.placeholders()) for word in words)


def has_placeholders(command: tuple[str, ...]) -> bool:
    """Whether the command has placeholders."""
    return any(f"{{{name}}}" in word for name in PLACEHOLDERS for word in command)


def _filled(word: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def kubelet_configuration(site: Site) -> dict[str, object]:
    """A KubeletConfiguration (kubelet.config.k8s.io/v1beta1) for a node of static pods only.

    It restricts the agent to loopback, to the site's folders, and keeps it away from the host's firewall.
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
