"""Which Debian mirror this machine uses, and the same mirror's sources for another release. The parsing is pure."""

from __future__ import annotations

import subprocess

from tools.vm.failure import VmError

QUERY = ("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(LABEL)", "Created-By: Packages")
QUERY_TIMEOUT_S = 60.0
MAIN, SECURITY = "Debian", "Debian-Security"  # the labels of Debian's Release files


def configured_sources(suite: str) -> tuple[str, ...]:
    """The sources of a release on the mirror that apt uses here. Raises VmError without one."""
    listing = subprocess.run(QUERY, capture_output=True, text=True, check=False, timeout=QUERY_TIMEOUT_S)
    return sources(listing.stdout, suite)


def sources(listing: str, suite: str) -> tuple[str, ...]:
    """Lines for sources.list, from what `apt-get indextargets` prints: site, release and label of each index.

    A machine without a source for security updates gives an image without them. Raises VmError without a mirror.
    """
    sites: dict[str, str] = {}
    for line in listing.splitlines():
        site, _, rest = line.partition(" ")
        sites.setdefault(rest.partition(" ")[2], site.rstrip("/"))
    if MAIN not in sites:
        raise VmError(
            "apt on this machine has no index of a Debian mirror: run `apt-get update`, on Debian, and try again"
        )
    lines = [f"deb {sites[MAIN]} {suite} main", f"deb {sites[MAIN]} {suite}-updates main"]
    if SECURITY in sites:
        lines.append(f"deb {sites[SECURITY]} {suite}-security main")
    return tuple(lines)
