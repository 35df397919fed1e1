"""The directory of configurations, as installers and administrators change it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podwright.process import PosixProcessRunner
from podwright.runtime.network.cni.catalog import CniConfigs
from podwright.runtime.network.cni.plugin import PluginRunner


def install(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


def configure(folder: Path, name: str, network: str, *plugins: str) -> None:
    folder.mkdir(exist_ok=True)
    document = {"cniVersion": "1.0.0", "name": network, "plugins": [{"type": plugin} for plugin in plugins]}
    (folder / name).write_text(json.dumps(document))


@pytest.fixture
def catalog(tmp_path: Path) -> CniConfigs:
    install(tmp_path / "bin", "bridge", "portmap")
    return CniConfigs(
        str(tmp_path / "net.d"), PluginRunner((str(tmp_path / "none"), str(tmp_path / "bin")), PosixProcessRunner())
    )


def test_no_directory_and_no_configuration(catalog: CniConfigs, tmp_path: Path) -> None:
    assert not catalog.look().present
    (tmp_path / "net.d").mkdir()
    (tmp_path / "net.d" / "README").write_text("nothing")
    found = catalog.look()
    assert (found.present, found.network) == (False, None)
    assert "no CNI configuration" in found.trouble


def test_the_first_usable_file_wins(catalog: CniConfigs, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "net.d"
    configure(folder, "30-third.conflist", "third", "bridge")
    configure(folder, "20-second.conf", "second", "bridge", "portmap")
    configure(folder, "10-first.conflist", "first", "calico")
    (folder / "05-broken.json").write_text("{")
    (folder / "06-dangling.conf").symlink_to(folder / "nowhere")
    for _ in range(3):
        found = catalog.look()
        assert found.network is not None
        assert found.network.name == "second"
    assert caplog.text.count("05-broken.json") == 1
    install(tmp_path / "bin", "calico")
    network = catalog.look().network
    assert network is not None
    assert network.name == "first"


def test_changes_are_seen(catalog: CniConfigs, tmp_path: Path) -> None:
    folder = tmp_path / "net.d"
    assert catalog.look().network is None
    configure(folder, "10-net.conflist", "one", "bridge")
    first = catalog.look().network
    assert first is not None
    assert catalog.look().network is first  # parsed once
    configure(folder, "10-net.conflist", "another", "bridge")
    second = catalog.look().network
    assert second is not None
    assert second.name == "another"
    (folder / "10-net.conflist").unlink()
    assert not catalog.look().present


def test_what_is_wrong_is_told(catalog: CniConfigs, tmp_path: Path) -> None:
    configure(tmp_path / "net.d", "10-net.conflist", "net", "cilium-cni")
    (tmp_path / "net.d" / "20-broken.conf").write_text("{}")
    found = catalog.look()
    assert (found.present, found.network) == (True, None)
    assert "10-net.conflist: the plugin cilium-cni is not installed" in found.trouble
    assert "20-broken.conf: name None is missing" in found.trouble


def test_plugins_of_the_network_s_folder(catalog: CniConfigs, tmp_path: Path) -> None:
    folder = tmp_path / "net.d"
    configure(folder, "10-net.conflist", "net", "bridge")
    (folder / "net").mkdir()
    (folder / "net" / "10-more.conf").write_text('{"type": "portmap"}')
    (folder / "net" / "ignored.txt").write_text("{")
    network = catalog.look().network
    assert network is not None
    assert [plugin.type for plugin in network.plugins] == ["bridge", "portmap"]


def test_a_plugin_must_be_a_program(catalog: CniConfigs, tmp_path: Path) -> None:
    configure(tmp_path / "net.d", "10-net.conflist", "net", "text")
    (tmp_path / "bin" / "text").write_text("not executable")
    assert "text is not installed" in catalog.look().trouble
