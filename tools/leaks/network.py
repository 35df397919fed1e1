"""Links (bridges, veth pairs) and packet filter rules of the host's network namespace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tools.leaks.thing import Scope, Thing

TIMEOUT_S = 60.0  # nft begins anew when somebody changes rules meanwhile
LINK_KINDS = {"bridge", "veth"}
RULE_MARKS = ("podwright", "CNI-")
# The portmap plugin makes these once per host and never removes them (plugins/meta/portmap, "genMarkMasqChain").
STANDING_CHAINS = ("CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ", "CNI-ADMIN", "CNI-FORWARD")


def links(scope: Scope) -> Iterator[Thing]:
    """Bridges and veth ends in this network namespace."""
    if shutil.which("ip") is None:
        return
    for link in json.loads(_output("ip", "-json", "-details", "link", "show") or "[]"):
        kind, name, master = link.get("linkinfo", {}).get("info_kind"), link["ifname"], link.get("master", "")
        if kind in LINK_KINDS:
            ours = scope.has_link(name) or scope.has_link(master)
            yield Thing(kind="link", name=name, detail=f"{kind} {master}".strip(), ours=ours)


def rules(scope: Scope) -> Iterator[Thing]:
    """nftables and iptables rules that Podwright or CNI plugins made, as text without counters."""
    if os.geteuid() != 0:
        return
    for rule in [*_nft_rules(), *_legacy_rules()]:
        ours = scope.mentioned_in(rule)
        if ours or (any(mark in rule for mark in RULE_MARKS) and not _standing(rule)):
            yield Thing(kind="rule", name=rule, ours=ours)


def _nft_rules() -> Iterator[str]:
    """Each line of the rule set behind the names of its table and chain."""
    path: list[str] = []
    listing = _output("nft", "--stateless", "list", "ruleset") if shutil.which("nft") else ""
    for line in map(str.strip, listing.splitlines()):
        if line.endswith("{"):
            path.append(line.removesuffix("{").strip())
            yield " / ".join(path)
        elif line == "}":
            path.pop()
        elif line:
            yield " / ".join([*path, line])


def _legacy_rules() -> list[str]:
    tables = Path("/proc/net/ip_tables_names")  # empty or absent unless the old kernel interface is in use
    if shutil.which("iptables-legacy-save") is None or not tables.exists() or not tables.read_text():
        return []
    return [line for line in _output("iptables-legacy-save").splitlines() if line.startswith("-A")]


def _standing(rule: str) -> bool:
    return any(chain in rule for chain in STANDING_CHAINS)


def _output(*argv: str) -> str:
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
    return done.stdout if done.returncode == 0 else ""
