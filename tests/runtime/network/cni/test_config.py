"""CNI configurations: what is one, what is not, and what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.runtime.network.cni import config

BRIDGE: dict[str, Any] = {"type": "bridge", "bridge": "cni0", "capabilities": {"ips": True, "mac": False, "odd": 1}}
LIST: dict[str, Any] = {"cniVersion": "1.0.0", "name": "net", "plugins": [BRIDGE, {"type": "portmap"}]}


def text(document: object) -> bytes:
    return json.dumps(document).encode()


def test_a_list() -> None:
    network = config.parse(text(LIST))
    assert (network.name, network.version) == ("net", "1.0.0")
    assert [plugin.type for plugin in network.plugins] == ["bridge", "portmap"]
    assert network.plugins[0].capabilities == {"ips"}
    assert network.plugins[0].document == BRIDGE
    assert not network.disable_check
    assert not network.disable_gc


def test_a_single_plugin_is_a_list_of_one() -> None:
    network = config.parse(text({**BRIDGE, "cniVersion": "0.3.1", "name": "one"}))
    assert (network.name, network.version) == ("one", "0.3.1")
    assert [plugin.type for plugin in network.plugins] == ["bridge"]


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({}, ("0.1.0",)),
        ({"cniVersion": "0.4.0"}, ("0.4.0",)),
        ({"cniVersions": ["0.3.1", "1.1.0"]}, ("1.1.0", "0.3.1")),
        ({"cniVersion": "0.4.0", "cniVersions": ["1.0.0", "2.0.0", "0.4.0"]}, ("1.0.0", "0.4.0")),
        ({"cniVersion": "9.9.9", "cniVersions": ["1.0.0"]}, ("1.0.0",)),
    ],
)
def test_versions(versions: dict[str, object], expected: tuple[str, ...]) -> None:
    document = {**{key: value for key, value in LIST.items() if key != "cniVersion"}, **versions}
    assert config.parse(text(document)).versions == expected


@pytest.mark.parametrize(
    ("version", "since", "expected"),
    [("0.3.1", "0.4.0", False), ("0.4.0", "0.4.0", True), ("1.1.0", "0.4.0", True), ("1.0.0", "1.1.0", False)],
)
def test_supports(version: str, since: str, *, expected: bool) -> None:
    assert config.parse(text({**LIST, "cniVersion": version})).supports(since) is expected


def test_flags_may_be_strings() -> None:
    network = config.parse(
        text({**LIST, "disableCheck": "True", "disableGC": True, "loadOnlyInlinedPlugins": "false"})
    )
    assert (network.disable_check, network.disable_gc, network.inlined_only) == (True, True, False)


def test_folder_plugins_follow() -> None:
    assert config.wants_folder(text(LIST)) == "net"
    assert config.wants_folder(text({**LIST, "loadOnlyInlinedPlugins": True})) == ""
    assert config.wants_folder(text({**BRIDGE, "name": "one"})) == ""
    network = config.parse(text(LIST), (text({"type": "tuning"}),))
    assert [plugin.type for plugin in network.plugins] == ["bridge", "portmap", "tuning"]
    assert config.parse(network.text()).plugins == network.plugins


def test_text_is_complete() -> None:
    network = config.parse(text({**LIST, "disableGC": True, "loadOnlyInlinedPlugins": True}))
    assert config.parse(network.text()) == network


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"{", "not JSON", id="cut off"),
        pytest.param(b"[" * 100_000, "not JSON", id="deep"),
        pytest.param(b"\xff\xfe", "not JSON", id="not text"),
        pytest.param(text([]), "not a JSON object", id="an array"),
        pytest.param(text({}), "no plugins", id="nothing in it"),
        pytest.param(text({**LIST, "name": ""}), "name ''", id="no name"),
        pytest.param(text({**LIST, "name": "a/b"}), "name 'a/b'", id="a name that is a path"),
        pytest.param(text({**LIST, "plugins": []}), "no plugins", id="no plugins"),
        pytest.param(text({**LIST, "plugins": {}}), "not a list", id="plugins of a wrong kind"),
        pytest.param(text({**LIST, "plugins": ["bridge"]}), "not a JSON object", id="a plugin of a wrong kind"),
        pytest.param(text({**LIST, "plugins": [{}]}), "type None", id="no type"),
        pytest.param(text({**LIST, "plugins": [{"type": "../sh"}]}), "type '../sh'", id="a type that is a path"),
        pytest.param(text({**LIST, "plugins": [{"type": ".."}]}), "type '..'", id="a type that is a folder"),
        pytest.param(
            text({**LIST, "plugins": [{"type": "x", "capabilities": [1]}]}), "capabilities", id="capabilities"
        ),
        pytest.param(text({**LIST, "cniVersion": "7.0"}), "cniVersion 7.0", id="a version that we do not speak"),
        pytest.param(text({**LIST, "cniVersions": "1.0.0"}), "cniVersions", id="versions of a wrong kind"),
        pytest.param(text({**LIST, "disableGC": "maybe"}), "disableGC", id="a flag that is neither"),
    ],
)
def test_refused(document: bytes, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        config.parse(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ("cniVersion", "cniVersions", "name", "plugins", "type", "capabilities", "disableCheck", "disableGC")
)


@given(st.dictionaries(KEYS, JSON | st.just(LIST["plugins"]) | st.sampled_from(("net", "1.0.0", "bridge"))))
def test_any_object_is_a_network_or_refused(document: dict[str, object]) -> None:
    try:
        network = config.parse(text(document))
    except InvalidArgument:
        return
    assert network.plugins
    assert config.parse(network.text()).plugins == network.plugins


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidArgument):
        config.parse(data)
