"""CRI-O as a peer, where somebody has installed it: Debian 12 has no package of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence

from tests.harness.cni import BIN_DIR, write_bridge_conf
from tests.harness.scratch import Part
from tests.harness.server import CriServer

PROGRAMS = ("crio", "pinns", "conmon")
# All paths are the part's own, one of them short (a socket's may have 107 bytes, 72 come after it); the rest is
# CRI-O's default, with what a host without systemd needs.
CONFIG = """\
[crio]
root = "{directory}/root"
runroot = "{directory}/run"
storage_driver = "overlay"
log_dir = "{directory}/logs"
version_file = "{directory}/version"
version_file_persist = "{directory}/version-persist"
clean_shutdown_file = "{directory}/clean.shutdown"

[crio.api]
listen = "{socket}"
stream_address = "127.0.0.1"
stream_port = "0"

[crio.runtime]
default_runtime = "{handler}"
cgroup_manager = "{driver}"
pids_limit = 0
container_exits_dir = "{directory}/exits"
container_attach_socket_dir = "{directory}/a"
namespaces_dir = "{directory}/ns"
hooks_dir = []
irqbalance_config_restore_file = "disable"

[crio.runtime.runtimes.crun]
runtime_root = "{directory}/crun"
monitor_cgroup = "pod"

[crio.runtime.runtimes.runc]
runtime_root = "{directory}/runc"
monitor_cgroup = "pod"

[crio.image]
pause_image = "{pause_image}"
pause_command = ""
signature_policy = "{directory}/policy.json"
signature_policy_dir = "{directory}/policies"
namespaced_auth_dir = "{directory}/auth"

[crio.network]
network_dir = "{cni_conf_dir}"
plugin_dirs = ["{cni_bin_dir}"]

[crio.nri]
enable_nri = false
"""
# Every pull goes to one registry, docker.io's too.
REGISTRIES = """\
unqualified-search-registries = ["docker.io"]

[[registry]]
location = "{registry}"
insecure = true

[[registry]]
prefix = "docker.io"
location = "{registry}"
insecure = true
"""
POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


def is_installed() -> bool:
    """Whether this machine has what it needs."""
    return all(map(shutil.which, PROGRAMS))


class Crio(CriServer):
    """CRI-O with conmon, one OCI runtime, and a bridge by CNI."""

    name = "cri-o"
    leaves_bridge = True
    leaves_cgroups = True

    def __init__(self, part: Part, *, pause_image: str, registry: str, handler: str = "runc") -> None:
        """`pause_image` is the root of each sandbox; `registry` is a host and port that speaks plain HTTP."""
        super().__init__(part)
        self.config = part.directory / "crio.conf"
        self.registries = part.directory / "registries.conf"
        self.config.write_text(
            CONFIG.format(
                directory=part.directory,
                socket=self.socket,
                handler=handler,
                driver=part.driver,
                pause_image=pause_image,
                cni_bin_dir=BIN_DIR,
                cni_conf_dir=write_bridge_conf(part),
            )
        )
        self.registries.write_text(REGISTRIES.format(registry=registry))
        (part.directory / "policy.json").write_text(json.dumps(POLICY))

    def argv(self) -> Sequence[str]:
        """Foreground, our configuration only."""
        nowhere = str(self.directory / "none")
        flags = {"config": self.config, "config-dir": nowhere, "registries-conf": self.registries}
        places = {"registries-conf-dir": nowhere}
        return ["crio", *(f"--{name}={path}" for name, path in {**flags, **places}.items())]
