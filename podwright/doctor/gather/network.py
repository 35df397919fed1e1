"""CNI configuration and plugins, links, packet filter."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from podwright.doctor.facts import NetworkFacts, ProgramFacts
from podwright.doctor.gather.files import read_text
from podwright.doctor.gather.link_trial import try_links
from podwright.doctor.gather.programs import ANSWER_TIMEOUT_S, look_at
from podwright.doctor.options import DoctorOptions
from podwright.errors import PodwrightError
from podwright.process import Command, ProcessRunner

CONFIG_SUFFIXES = (".conflist", ".conf", ".json")


async def gather_network(runner: ProcessRunner, options: DoctorOptions) -> NetworkFacts:
    """The facts about pods' networks."""
    link_errors, nft, iptables = await asyncio.gather(
        asyncio.to_thread(try_links), look_at(runner, "nft"), look_at(runner, "iptables")
    )
    config, plugins, error = first_config(options.cni_conf_dir)
    return NetworkFacts(
        mode=options.network_mode,
        conf_dir=options.cni_conf_dir,
        bin_dirs=options.cni_bin_dirs,
        config=config,
        config_error=error,
        plugins=plugins,
        plugins_missing=tuple(name for name in plugins if not _is_installed(name, options.cni_bin_dirs)),
        link_errors=link_errors,
        nft=nft,
        nft_error=await _nft_error(runner, nft),
        iptables=iptables,
        ip_forward=read_text("/proc/sys/net/ipv4/ip_forward") == "1",
    )


def first_config(folder: str) -> tuple[str, tuple[str, ...], str]:
    """(file, plugin types, error) of the first configuration by name. The file is empty if there is none."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(CONFIG_SUFFIXES))
    except OSError:
        return "", (), ""
    if not names:
        return "", (), ""
    path = os.path.join(folder, names[0])
    try:
        with open(path, encoding="utf-8") as file:
            return path, plugin_types(json.load(file)), ""
    except (OSError, ValueError) as failure:
        return path, (), str(failure)


def plugin_types(document: Any) -> tuple[str, ...]:
    """The plugins in a configuration or list, including IPAM. Raises ValueError."""
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 # one error for all that is wrong with the file
    plugins = document.get("plugins", [document])
    types: dict[str, None] = {}
    for plugin in plugins if isinstance(plugins, list) else []:
        if not isinstance(plugin, dict) or not isinstance(plugin.get("type"), str):
            raise ValueError("a plugin has no type")  # noqa: TRY004 # as above
        types[plugin["type"]] = None
        ipam = plugin.get("ipam")
        if isinstance(ipam, dict) and isinstance(ipam.get("type"), str):
            types[ipam["type"]] = None
    if not types:
        raise ValueError("it lists no plugins")
    return tuple(types)


def _is_installed(plugin: str, folders: tuple[str, ...]) -> bool:
    return any(os.access(os.path.join(folder, plugin), os.X_OK) for folder in folders)


async def _nft_error(runner: ProcessRunner, nft: ProgramFacts | None) -> str:
    """Empty if nft can talk to the kernel."""
    if nft is None:
        return ""
    try:
        completed = await runner.run(Command(argv=(nft.path, "list", "tables"), timeout_s=ANSWER_TIMEOUT_S))
    except PodwrightError as failure:
        return failure.message
    return "" if completed.returncode == 0 else completed.error_text() or f"exit code {completed.returncode}"
