"""The recipe of a disk image: mmdebstrap's command line, and the name that says what went into it. Pure."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import tomli_w

from tools.vm.systems import System

VERSION = 2  # raise it when an image must be made anew though no input below has changed
VENV, TREE = "/opt/podwright", "/srv/podwright"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
LABEL = "root"
# Its mounts and processes go with it, however it ends.
ALONE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
# What the guest's root is made of beyond packages. One interface, its address from QEMU's own DHCP server.
FILES = {
    "/etc/fstab": f"LABEL={LABEL} / ext4 defaults 0 1\n",
    "/etc/hostname": "podwright-vm\n",
    "/etc/hosts": "127.0.0.1 localhost\n127.0.1.1 podwright-vm\n",
    "/etc/systemd/network/lan.network": "[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n",
    "/etc/ssh/sshd_config.d/vm.conf": f"UsePAM no\nUseDNS no\nHostKey {HOST_KEY}\nMaxSessions 20\n",
}
# Documentation is most of what dpkg would write; time and disk are better spent.
DPKG = ("path-exclude=/usr/share/man/*", "path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/locale/*")
# They only take time at boot.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "systemd-networkd-wait-online.service", "containerd.service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything that decides the image's content, by name."""

    system: System
    sources: tuple[str, ...]
    files: dict[str, str]  # of the tree: the path there, and the text


def installed_from(texts: Mapping[str, str]) -> dict[str, str]:
    """The tree's files as an installation needs them: a rule for a linter must not make an image anew. Pure.

    Of pyproject.toml that is what pip and setuptools read. The README is only there because they look for it.
    """
    project = tomllib.loads(texts["pyproject.toml"])
    read = {name: project[name] for name in ("build-system", "project")}
    reduced = tomli_w.dumps({**read, "tool": {"setuptools": project["tool"]["setuptools"]}})
    return {**texts, "pyproject.toml": reduced, "README.md": ""}


def fingerprint(inputs: Inputs) -> str:
    """Twelve hexadecimal digits that change with any input."""
    everything = [VERSION, asdict(inputs), FILES, DPKG, MASKED]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:12]


def mmdebstrap_argv(inputs: Inputs, *, stage: Path, root: Path) -> tuple[str, ...]:
    """Make the system below `root`. `stage` holds what is copied in: `files`, `wheels`, `tree`, `ssh`."""
    options = ["--variant=apt", "--mode=root", f"--keyring={KEYRING}", '--aptopt=APT::Install-Recommends "false"']
    options += [f"--dpkgopt={option}" for option in DPKG]
    options.append(f"--include={','.join(inputs.system.packages)}")
    options += [f"--customize-hook={hook}" for hook in hooks(stage)]
    return (*ALONE, "mmdebstrap", *options, inputs.system.suite, str(root), *inputs.sources)


def hooks(stage: Path) -> tuple[str, ...]:
    """mmdebstrap's hooks, in their order; each is a shell command whose $1 is the new root."""
    pip = f'chroot "$1" {VENV}/bin/python -m pip install --quiet --no-deps --no-index'
    return (
        f'cp -r {stage}/files/. "$1"/',
        f'mkdir -p "$1"{TREE} && cp -r {stage}/tree/. "$1"{TREE}/',
        f'chroot "$1" sh {TREE}/tools/setup.sh',
        f'cp -r {stage}/wheels "$1"/root/wheels',
        f'chroot "$1" python3 -m venv {VENV}',
        f"{pip} --require-hashes --find-links=/root/wheels --requirement={TREE}/requirements.lock",
        f"{pip} --no-build-isolation --editable {TREE}",
        f'chroot "$1" {VENV}/bin/python -m pip check',
        'rm -r "$1"/root/wheels',
        'chroot "$1" systemctl enable systemd-networkd.service ssh.service',
        f'chroot "$1" systemctl mask {" ".join(MASKED)}',
    )


def disk_argv(root: Path, image: Path, *, size: str = "12G") -> tuple[str, ...]:
    """An ext4 filesystem with the root's content, sparse."""
    return ("mke2fs", "-q", "-t", "ext4", "-L", LABEL, "-d", str(root), str(image), size)
