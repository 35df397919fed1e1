"""A machine of its own for the session, so that what is typed is what a reader would type, without flags for places.

The session runs in mount and network namespaces. The directories that Podwright uses by default are empty there, and
a registry on loopback stands for the public ones.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.background import Background
from tools.registry import Registry, push_samples, write_hosts

TREE = Path(__file__).resolve().parents[2]
INSIDE = "PODWRIGHT_RECORDING_INSIDE"
DIRECTORIES = (
    "/etc/podwright",
    "/etc/kubernetes",
    "/var/lib/podwright",
    "/var/lib/kubelet",
    "/run/podwright",
    "/var/log/pods",
)
MANIFESTS = Path("/etc/kubernetes/manifests")
CONFIG = Path("/etc/kubernetes/kubelet.yaml")
# What this host may be: without systemd, with cgroup v1, with swap.
KUBELET = f"""\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: {MANIFESTS}
containerRuntimeEndpoint: unix:///run/podwright/podwright.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
resolvConf: ""
"""


def is_inside() -> bool:
    """Whether this process runs in the namespaces."""
    return INSIDE in os.environ


def enter(arguments: list[str]) -> int:
    """Run this program again in namespaces of its own. Returns its exit code."""
    missing = [path for path in map(Path, DIRECTORIES) if not path.exists()]
    for path in missing:
        path.mkdir(parents=True)
    try:
        argv = ["unshare", "--mount", "--net", sys.executable, "-m", "tools.recording", *arguments]
        return subprocess.run(argv, cwd=TREE, env=dict(os.environ, **{INSIDE: "1"}), check=False).returncode
    finally:
        for path in missing:
            path.rmdir()


@contextlib.contextmanager
def machine() -> Iterator[None]:
    """Empty directories, loopback, a registry, and the runtime and the agent on their default places."""
    directory = Path(tempfile.mkdtemp(prefix="podwright-recording-"))
    try:
        for path in DIRECTORIES:
            subprocess.run(["mount", "-t", "tmpfs", "podwright-recording", path], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        MANIFESTS.mkdir()
        CONFIG.write_text(KUBELET)
        os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        os.chdir(TREE)
        with Registry(directory) as registry:
            push_samples(registry)
            write_hosts(Path("/etc/podwright/certs.d"), registry.url)
            yield
    finally:
        shutil.rmtree(directory)


@contextlib.contextmanager
def in_background(argv: list[str]) -> Iterator[None]:
    """A server that runs while the session goes on."""
    with tempfile.TemporaryDirectory() as directory:
        server = Background(argv, log=Path(directory) / "log")
        try:
            yield
        finally:
            server.stop()
