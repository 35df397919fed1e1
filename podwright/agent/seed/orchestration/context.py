"""One pod in one run: the manifest, its identity, its places on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass

from podwright.agent.seed.manifest.bundle import PodBundle
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.orchestration.host import HostFacts

HOSTNAME_LIMIT = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class PodContext:
    """`directory` holds the pod's volumes and files; `log_root` is the root of all pods' logs."""

    bundle: PodBundle
    uid: str
    host: HostFacts
    directory: str
    log_root: str

    @property
    def pod(self) -> Pod:
        """The pod."""
        return self.bundle.pod

    @property
    def log_directory(self) -> str:
        """`<namespace>_<name>_<uid>` below the log root, as the kubelet names it."""
        metadata = self.pod.metadata
        return os.path.join(self.log_root, f"{metadata.namespace}_{metadata.name}_{self.uid}")

    @property
    def hostname(self) -> str:
        """What the pod calls itself: spec.hostname, or its name cut to a host name."""
        return self.pod.spec.hostname or self.pod.metadata.name[:HOSTNAME_LIMIT].rstrip("-.")

    @property
    def etc_hosts(self) -> str:
        """The file that containers see as /etc/hosts."""
        return os.path.join(self.directory, "etc-hosts")
