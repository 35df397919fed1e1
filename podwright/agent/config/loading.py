"""Flags, the file of --config and the drop-ins of --config-dir to one AgentConfig, in the kubelet's order.

The order (cmd/kubelet/app/server.go): the defaults. The file, or the flags over their older defaults when there is no
file. The drop-ins merged into that. The flags once more, which therefore win. Feature gates of files and flags add up.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from podwright.agent.config import gates, validation
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.config.command_line import GivenFlag, apply
from podwright.agent.config.defaults import LEGACY, complete, with_file_eviction
from podwright.agent.config.document import ConfigDocument, parse_document
from podwright.agent.config.files import list_drop_ins, read_bytes
from podwright.agent.config.merge import merge_patch
from podwright.agent.config.reading import ConfigError, Reading
from podwright.agent.config.refusals import aggregated, invalid, named
from podwright.agent.config.setting import Setting
from podwright.agent.config.settings import API_VERSION, BY_KEY, FIELDS, KIND
from podwright.agent.config.structure import build
from podwright.agent.config.values import Values, decode, encode, flag_texts, known_part, to_file
from podwright.errors import InvalidArgument
from podwright.spelling import nearest

_LENIENT_HINT = "--lenient-config reads such a file as a kubelet does, and warns"


class LoadedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration, the same as a KubeletConfiguration document and as flags, and remarks for the user."""

    config: AgentConfig
    document: dict[str, Any]
    flags: dict[str, str]
    warnings: tuple[str, ...]


class _ConfigLoader(msgspec.Struct, kw_only=True):
    """What one loading collects on its way."""

    lenient: bool
    warnings: list[str] = msgspec.field(default_factory=list)
    named: set[str] = msgspec.field(default_factory=set)

    def file(self, path: str, *, drop_in: bool) -> tuple[ConfigDocument, Values]:
        """A file's document and its fields. Raises ConfigError."""
        document = parse_document(read_bytes(path), path)
        _check_head(document.content, path)
        reading = Reading()
        values = decode(document.content, reading)
        repeated = [f"{key}: given twice" for key in document.repeated]
        faults = reading.faults + (repeated if drop_in else [])  # a kubelet has no second try for those of a drop-in
        complaints = [*([] if drop_in else repeated), *reading.strict]
        refused = faults if self.lenient else faults + complaints
        if refused:
            raise ConfigError(path, refused, hint="" if faults else _LENIENT_HINT)
        self.warnings += [f"{path}: {complaint}; ignored" for complaint in complaints]
        if document.further:
            self.warnings.append(f"{path}: only the first document counts")
        self.note_ignored(path, (BY_KEY[key] for key in values))
        return document, values

    def note_ignored(self, source: str, settings: Iterable[Setting], *, by_flag: bool = False) -> None:
        """Name what is set but not honoured, if no source before this one set it."""
        idle = [setting for setting in settings if not setting.honoured and setting.key not in self.named]
        self.named |= {setting.key for setting in idle}
        names = dict.fromkeys(f"--{setting.flag}" if by_flag else setting.key for setting in idle)
        if names:
            self.warnings.append(f"{source}: not honoured: {', '.join(names)}")

    def base(self, path: str, flag_gates: dict[str, bool]) -> Values:
        """The file of --config, complete."""
        _, given = self.file(path, drop_in=False)
        folder = os.path.dirname(os.path.abspath(path))
        given |= {
            setting.key: os.path.normpath(os.path.join(folder, given[setting.key]))
            for setting in FIELDS
            if setting.path and given.get(setting.key) and not given[setting.key].startswith("/")
        }
        return with_file_eviction(_complete(given, flag_gates))

    def merged(self, base: Values, folder: str, flag_gates: dict[str, bool]) -> Values:
        """`base` with the drop-ins of a folder."""
        if os.path.islink(folder):
            self.warnings.append(f"{folder}: is a link, which --config-dir does not follow; no drop-in is read")
        document: Any = encode(base)
        for path in list_drop_ins(folder):
            document = merge_patch(document, known_part(self.file(path, drop_in=True)[0].content))
        return _complete(decode(document, Reading()), flag_gates)  # every part of it was read without a fault


def load(occurrences: Sequence[GivenFlag], *, unified_cgroups: bool) -> LoadedConfig:
    """The effective configuration on a host with or without cgroup v2. Raises InvalidArgument for what is wrong."""
    given = apply({}, occurrences)
    flag_gates = given.get("featureGates") or {}
    loader = _ConfigLoader(lenient=given.get("--lenient-config", False))
    values = apply(complete(LEGACY, gates.enabled({})), occurrences)
    path, folder = values["--config"], values["--config-dir"]
    if path:
        values = loader.base(path, flag_gates)
    if folder:
        values = loader.merged(values, folder, flag_gates)
    chosen = (values["featureGates"] or {}) | flag_gates
    if path or folder:
        values = apply(values, occurrences) | {"featureGates": chosen or None}
    problems = [invalid(f"{named('featureGates')}: {problem}") for problem in gates.problems(chosen)]
    problems += validation.problems(values, gates.enabled(chosen), unified_cgroups=unified_cgroups)
    if problems:
        raise InvalidArgument(aggregated(problems))
    config = build(AgentConfig, values)
    loader.note_ignored("command line", (occurrence.setting for occurrence in occurrences), by_flag=True)
    loader.warnings += gates.remarks(chosen)
    flags = flag_texts(values)
    return LoadedConfig(config=config, document=to_file(values), flags=flags, warnings=tuple(loader.warnings))


def _complete(given: Values, flag_gates: dict[str, bool]) -> Values:
    """Defaults that depend on gates follow the file where flags and file differ, as in a kubelet."""
    chosen = flag_gates | (given.get("featureGates") or {})
    return complete(given, gates.enabled(chosen))


def _check_head(content: dict[str, Any], path: str) -> None:
    kind, version = content.get("kind"), content.get("apiVersion")
    if not kind or not version:
        raise ConfigError(path, [f"has no {'apiVersion' if kind else 'kind'}"], hint=f"{KIND} of {API_VERSION}")
    if kind != KIND or version != API_VERSION:
        near = nearest(str(kind), [KIND])
        raise ConfigError(path, [f"is a {kind} of {version}"], hint=f"{near or KIND} of {API_VERSION} is read here")
