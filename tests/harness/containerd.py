"""Debian's containerd as a peer: the same client-side tests run against it, so that they test the contract."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from podwright.conformance.patience import patient
from tests.harness import shim_sockets
from tests.harness.cni import BIN_DIR, write_bridge_conf
from tests.harness.processes import command_lines
from tests.harness.scratch import Part
from tests.harness.server import CriServer

# restrict_oom_score_adj: without CAP_SYS_RESOURCE runc may not lower the score below containerd's own.
CONFIG = """\
version = 2
root = "{directory}/root"
state = "{directory}/state"
oom_score = 0

[grpc]
  address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{directory}/opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause_image}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{cni_bin_dir}"
  conf_dir = "{cni_conf_dir}"

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{certs_d}"

[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  Root = "{directory}/runc"
  SystemdCgroup = {is_systemd}
"""


SHIMS_LEAVE_S = patient(2.0)


class Containerd(CriServer):
    """containerd with its CRI plugin, runc, and a bridge by CNI."""

    name = "containerd"
    leaves_bridge = True

    def __init__(self, part: Part, *, pause_image: str, certs_d: Path) -> None:
        """`pause_image` is pulled for the first sandbox; `certs_d` holds `<host>/hosts.toml`."""
        super().__init__(part)
        self.config = part.directory / "config.toml"
        self.config.write_text(
            CONFIG.format(
                directory=part.directory,
                socket=self.socket,
                pause_image=pause_image,
                certs_d=certs_d,
                cni_bin_dir=BIN_DIR,
                cni_conf_dir=write_bridge_conf(part),
                is_systemd="true" if part.driver == "systemd" else "false",
            )
        )

    def argv(self) -> Sequence[str]:
        """Foreground, our configuration only."""
        return ["containerd", "--config", str(self.config)]

    def remove_pods(self) -> None:
        """As of any server. Shims that containerd 1.6 forgets at times are ended then, and their sockets removed."""
        super().remove_pods()
        deadline = time.monotonic() + SHIMS_LEAVE_S
        while (left := self._shims()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for pid in left:
            shim_sockets.kill(pid)

    def _shims(self) -> list[int]:
        """The PIDs of this containerd's."""
        commands = ((pid, line.split("\0")) for pid, line in command_lines().items())
        return [pid for pid, words in commands if "containerd-shim" in words[0] and str(self.socket) in words]
