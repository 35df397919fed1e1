"""How to install something on this distribution. Pure."""

from __future__ import annotations

import msgspec

from podwright.doctor.facts import SystemFacts


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of software: its name, and its packages where they are known."""

    name: str
    debian: str = ""
    fedora: str = ""


CRUN = Package(name="crun", debian="crun", fedora="crun")
CONMON = Package(name="conmon", debian="conmon", fedora="conmon")
CNI_PLUGINS = Package(
    name="the CNI plugins", debian="containernetworking-plugins", fedora="containernetworking-plugins"
)
NFTABLES = Package(name="nftables", debian="nftables", fedora="nftables")
IPTABLES = Package(name="iptables", debian="iptables", fedora="iptables-nft")
SECCOMP_PROFILE = Package(
    name="the common seccomp profile (containers-common)",
    debian="golang-github-containers-common",
    fedora="containers-common",
)
APPARMOR = Package(name="the AppArmor parser", debian="apparmor")
CRIU = Package(name="CRIU", debian="criu", fedora="criu")


def install(package: Package, host: SystemFacts) -> str:
    """The command, or a sentence if the package manager is unknown."""
    if package.debian and host.distribution & {"debian", "ubuntu"}:
        return f"apt install {package.debian}"
    if package.fedora and host.distribution & {"fedora", "rhel", "centos"}:
        return f"dnf install {package.fedora}"
    return f"install {package.name} with the distribution's package manager"
