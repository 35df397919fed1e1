"""The paths to inspect, from the daemon's configuration. The CLI passes them."""

from __future__ import annotations

from typing import Literal

import msgspec


class DoctorOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`runtimes` maps a handler's name to its binary, a path or a name to look up.

    `seccomp_profile` empty means the distribution's.
    """

    root: str = "/var/lib/podwright"
    image_store: str = ""  # the directory of images; empty: root
    network_mode: Literal["auto", "cni", "bridge"] = "auto"
    cni_conf_dir: str = "/etc/cni/net.d"
    cni_bin_dirs: tuple[str, ...] = ("/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni")
    seccomp_profile: str = ""
    runtimes: tuple[tuple[str, str], ...] = (("crun", "crun"), ("runc", "runc"), ("runsc", "runsc"))
    conmon: str = "conmon"
    docker_socket: str = ""  # of the Docker Engine that runs pods; empty: Podwright does
