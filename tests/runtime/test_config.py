"""The configuration is strict, and prints what it read."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from podwright.errors import InvalidArgument
from podwright.runtime.config import (
    Config,
    ForeignHandlerSettings,
    OciHandlerSettings,
    ShimHandlerSettings,
    ShimOptions,
    dump_config,
    load_config,
)


def _load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "c.toml"
    path.write_text(text)
    return load_config(str(path))


def test_defaults_and_every_key_round_trip(tmp_path: Path) -> None:
    options = ShimOptions(config_path="/c")
    handlers: dict[str, OciHandlerSettings | ShimHandlerSettings | ForeignHandlerSettings] = {
        "crun": OciHandlerSettings(path="/k"),
        "kata": ShimHandlerSettings(options=options),
    }
    everything = dump_config(Config(handlers=handlers))
    assert _load(tmp_path, everything) == Config(handlers=handlers)
    assert tomllib.loads(everything)["network"]["cni_conf_dir"] == "/etc/cni/net.d"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rot = '/x'", r"unknown key rot .*did you mean root\?"),
        ("[registri]\nx=1", r"unknown key registri .*did you mean registry\?"),
        ("[network]\ncni_confdir='x'", r"unknown key network\.cni_confdir .*network\.cni_conf_dir"),
        ("[handlers.kata]\npth='x'", r"unknown key handlers\.kata\.pth .*handlers\.kata\.path"),
        ("zzzzzz = 1", "known keys: "),
        ("[handlers.kata]\ntype='shin'", r"handlers\.kata\.type 'shin' is unknown .*did you mean 'shim'"),
        ("[handlers.kata]\ntype='shim'\nconmon='x'", r"unknown key handlers\.kata\.conmon"),
        ("[handlers.kata]\ntype='shim'\nruntime_typ='x'", r"handlers\.kata\.runtime_typ .*runtime_type"),
        ("[handlers.kata]\ntype='shim'\n[handlers.kata.options]\nconf_path='x'", r"options\.conf_path .*config_path"),
        ("[handlers.kata]\ntype='shim'\nsandbox='x'", "sandbox"),
        ("handlers.kata = 3", "handlers"),
        ("root = 5", "Expected `str`"),
        ("root = 'relative'", "absolute"),
        ("[containers]\ncgroup_parent = '../x'", r"containers\.cgroup_parent must not contain \.\."),
        ('root = "/a\\u0000b"', "has a NUL byte"),
        ("[images]\nstore = 'relative'", r"images\.store must be an absolute path"),
        ("log_level = 'loud'", "log_level"),
        ("root = ", "Invalid value"),
        ("handlers = 3", "handlers"),
    ],
)
def test_refusals_name_the_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        _load(tmp_path, text)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="does not exist"):
        load_config(str(tmp_path / "absent.toml"))
