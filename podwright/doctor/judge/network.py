"""Judges pod networks. Pure."""

from __future__ import annotations

from podwright.doctor.facts import Facts
from podwright.doctor.finding import Finding, missing, note, ok, warning
from podwright.doctor.remedy import CNI_PLUGINS, IPTABLES, NFTABLES, install


def cni(facts: Facts) -> Finding:
    """A configuration with all its plugins, or the built-in bridge."""
    network = facts.network
    if network.mode == "bridge":
        return ok("not used: the built-in bridge is configured")
    if network.config_error:
        return missing(
            f"{network.config}: {network.config_error}", cost="pods get no network", remedy="fix or remove it"
        )
    if network.config and network.plugins_missing:
        return missing(
            f"{network.config} calls {', '.join(network.plugins_missing)}, not found in {', '.join(network.bin_dirs)}",
            cost="pods get no network",
            remedy=install(CNI_PLUGINS, facts.host),
        )
    if network.config:
        return ok(f"{network.config} ({', '.join(network.plugins)})")
    if network.mode == "cni":
        return missing(
            f"no configuration in {network.conf_dir}",
            cost="the node stays NotReady; only host-network pods run",
            remedy=f'put a .conflist into {network.conf_dir}, or set network.mode = "auto"',
        )
    return ok(f"no configuration in {network.conf_dir}: the built-in bridge is used")


def links(facts: Facts) -> Finding:
    """Whether bridge and veth links could be created, in a network namespace of their own."""
    errors = facts.network.link_errors
    if not errors:
        return ok("bridge and veth work")
    shown = ", ".join(f"{kind}: {error}" for kind, error in errors.items())
    if facts.network.mode != "bridge" and facts.network.config and "bridge" not in facts.network.plugins:
        return note(shown, cost="none with the CNI configuration in use", remedy=f"modprobe {' '.join(errors)}")
    return missing(shown, cost="pods get no network", remedy=f"modprobe {' '.join(errors)}")


def packet_filter(facts: Facts) -> Finding:
    """nftables for the built-in bridge. CNI's portmap and bridge plugins use iptables."""
    network = facts.network
    if network.config and network.mode != "bridge":
        if network.iptables is None and set(network.plugins) & {"bridge", "portmap", "firewall", "ptp"}:
            return warning(
                "no iptables", cost="CNI's masquerading and host ports fail", remedy=install(IPTABLES, facts.host)
            )
        return ok("iptables for the CNI plugins")
    if network.nft is None:
        if network.iptables is not None:
            return ok(f"iptables ({network.iptables.path})")
        return warning(
            "neither nft nor iptables",
            cost="no masquerading and no host ports: pods cannot reach other machines",
            remedy=install(NFTABLES, facts.host),
        )
    if network.nft_error:
        return warning(
            f"nft fails: {network.nft_error}",
            cost="no masquerading and no host ports",
            remedy="modprobe nf_tables, and run with CAP_NET_ADMIN",
        )
    return ok(f"nftables ({network.nft.path})")


def forwarding(facts: Facts) -> Finding:
    """The bridge enables it if it can. Nodes normally have it enabled."""
    if facts.network.ip_forward:
        return ok("on")
    return note(
        "net.ipv4.ip_forward = 0",
        cost="pods cannot reach other machines until it is on (the network sets it when the first pod comes)",
        remedy="sysctl -w net.ipv4.ip_forward=1",
    )
