"""A CNI configuration as an administrator would write it: bridge, host-local, portmap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.harness.scratch import Part

BIN_DIR = Path("/usr/lib/cni")  # Debian's containernetworking-plugins


def write_bridge_conf(part: Part, *, name: str = "pwtest") -> Path:
    """Write a conflist for the part's bridge and subnet. Returns the configuration directory."""
    conf_dir = part.directory / "net.d"
    conf_dir.mkdir()
    (conf_dir / "10-bridge.conflist").write_text(json.dumps(bridge_conf(part, name)))
    return conf_dir


def bridge_conf(part: Part, name: str) -> dict[str, Any]:
    """The conflist; addresses are recorded inside the part, not in /var/lib/cni."""
    ipam = {
        "type": "host-local",
        "dataDir": str(part.directory / "ipam"),
        "ranges": [[{"subnet": str(part.subnet)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": part.bridge, "isGateway": True, "ipMasq": True, "hairpinMode": True}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    return {"cniVersion": "0.4.0", "name": name, "plugins": [bridge | {"ipam": ipam}, portmap]}
