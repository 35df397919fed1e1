"""The table against the facts of a kubelet 1.36 (`kubelet.tsv`), and against AgentConfig."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from podwright import agent
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.config.kinds import ValueKind
from podwright.agent.config.settings import BY_FLAG, BY_KEY, FIELDS, FLAGS
from podwright.agent.config.structure import SettingSource, origins, sources

FACTS = [line.split("\t") for line in (Path(__file__).parent / "kubelet.tsv").read_text().splitlines()]
GO_FIELDS = {path: go_type for what, path, go_type in FACTS if what == "field"}
GO_FLAGS = {name: "" if field == "-" else field for what, name, field in FACTS if what == "flag"}
GO_TYPES = {
    "bool": "boolean",
    "int32": "number",
    "int64": "number",
    "float64": "number",
    "VerbosityLevel": "number",
    "Duration": "duration",
    "TimeOrMetaDuration": "duration",
    "QuantityValue": "quantity",
    "[]string": "list",
    "[]int32": "list of numbers",
    "map[string]bool": "Gate=true|false,...",
    "map[string][]string": "name:value,...",
}
# What these say has been acted on when AgentConfig exists.
CONSUMED = {
    *("--config", "--config-dir", "--help", "--version", "--print-config", "--lenient-config"),
    *("mergeDefaultEvictionSettings", "failCgroupV1"),
}


def _leaves() -> dict[str, ValueKind]:
    leaves: dict[str, ValueKind] = {}
    for setting in FIELDS:
        members = setting.kind.members
        leaves |= {f"{setting.key}[].{name}": kind for name, kind in members.items()} or {setting.key: setting.kind}
    return leaves


def test_the_table_has_every_field_of_the_kubelet_and_no_other() -> None:
    assert _leaves().keys() == GO_FIELDS.keys()


def test_every_field_is_of_the_kind_that_go_has() -> None:
    differing = {
        path: (kind.name, GO_FIELDS[path])
        for path, kind in _leaves().items()
        if (expected := GO_TYPES.get(GO_FIELDS[path].removeprefix("*"))) and kind.name != expected
    }
    assert differing == {}


def test_pointers_in_go_are_optional_here() -> None:
    pointers = {path for path, go_type in GO_FIELDS.items() if go_type.startswith("*") and "[]" not in path}
    assert {setting.key for setting in FIELDS if setting.optional} == pointers


def test_the_table_has_every_flag_of_the_kubelet() -> None:
    ours = {flag.flag for flag in FLAGS if flag.ours}
    assert BY_FLAG.keys() - ours == GO_FLAGS.keys()
    assert ours & GO_FLAGS.keys() == set()


def test_flags_set_the_fields_that_they_set_in_a_kubelet() -> None:
    assert {name: BY_FLAG[name].key for name, field in GO_FLAGS.items() if field} == {
        name: field for name, field in GO_FLAGS.items() if field
    }


def test_what_the_agent_reads_is_honoured_and_nothing_else() -> None:
    """An attribute is read when its name is asked of anything outside of the configuration's own package."""
    folder = Path(agent.__file__).parent
    paths = [path for path in folder.rglob("*.py") if folder / "config" not in path.parents]
    asked = {name for path in paths for name in _attributes_asked(path)}
    attributes = list(_settings_by_attribute())
    assert {name for name, _ in attributes} - asked == set()
    honoured = {setting.key for setting in BY_KEY.values() if setting.honoured}
    assert {key for _, keys in attributes for key in keys} == honoured - CONSUMED


def _attributes_asked(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}


def _settings_by_attribute() -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, origin in origins(AgentConfig).items():
        attributes = {name: origin} if isinstance(origin, SettingSource) else origins(origin)
        for each, found in attributes.items():
            assert isinstance(found, SettingSource)
            yield each, found.keys


def test_attributes_read_what_exists_and_each_setting_once() -> None:
    read = [key for source in sources(AgentConfig) for key in source.keys]
    assert set(read) - BY_KEY.keys() == set()
    assert sorted(read) == sorted(set(read))
