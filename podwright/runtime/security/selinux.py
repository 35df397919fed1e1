"""SELinux labels of pods and containers. Pure. Requests are checked on hosts without SELinux as well."""

from __future__ import annotations

import re

import msgspec

from podwright.errors import InvalidArgument
from podwright.linux.selinux import Contexts, Label
from podwright.runtime.model.base import SelinuxOptions
from podwright.runtime.model.container import ContainerConfig
from podwright.runtime.model.sandbox import Sandbox

# Sensitivity, then categories or ranges of them: s0, s0-s0:c0.c1023, s0:c4,c5.
LEVEL = re.compile(r"s\d(-s\d)?(:c\d{1,4}(\.c\d{1,4})?(,c\d{1,4}(\.c\d{1,4})?)*)?")
WORD = re.compile(r"\w*", re.ASCII)
PRIVILEGED_TYPE = "spc_t"  # "super privileged container"


def check(label: str, options: SelinuxOptions | None) -> None:
    """Raises InvalidArgument for options that are not parts of a label. `label` names their owner."""
    if options is None:
        return
    for field in ("user", "role", "type"):
        if not WORD.fullmatch(getattr(options, field)):
            raise InvalidArgument(f"{label}: selinux {field} {getattr(options, field)[:80]!r} is not a valid name")
    if options.level and not LEVEL.fullmatch(options.level):
        raise InvalidArgument(f"{label}: selinux level {options.level[:80]!r} is not a level such as s0:c1,c2")


def labels(contexts: Contexts, level: str, *wanted: SelinuxOptions | None, privileged: bool = False) -> Contexts:
    """A label for processes and one for files: the policy's at `level`, with the requested parts. Later ones win.

    Files take over user and level only, because their type says what they are. Privileged processes are unconfined.
    """
    own = contexts.at(level)
    process, file = own.process, own.file
    for options in filter(None, wanted):
        given = {key: value for key in ("user", "role", "type", "level") if (value := getattr(options, key))}
        process = msgspec.structs.replace(process, **given)
        file = msgspec.structs.replace(file, **{key: given[key] for key in ("user", "level") if key in given})
    return Contexts(process=_privileged(process) if privileged else process, file=file)


def of_sandbox(host: Contexts | None, sandbox: Sandbox) -> Contexts | None:
    """The labels of the pod's own files and processes. None on a host without SELinux (`host` is its policy's)."""
    return None if host is None else labels(host, sandbox.selinux_level, sandbox.config.security.selinux)


def of_container(host: Contexts | None, sandbox: Sandbox, config: ContainerConfig) -> Contexts | None:
    """The container's labels: its pod's, except for what it requests itself. None without SELinux. Pure."""
    if host is None:
        return None
    wanted = (sandbox.config.security.selinux, config.security.selinux)
    return labels(host, sandbox.selinux_level, *wanted, privileged=config.security.privileged)


def _privileged(process: Label) -> Label:
    return msgspec.structs.replace(process, type=PRIVILEGED_TYPE, level=process.level.partition(":")[0])
