from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from podwright.errors import FailedPrecondition
from podwright.runtime.registry import hosts
from podwright.runtime.registry.hosts import CAPABILITIES, RegistryHost


def parse(text: str, host: str = "reg.example", folder: str = "/certs") -> list[RegistryHost]:
    return hosts.parse(tomllib.loads(text), folder, host)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("docker.io", "https://registry-1.docker.io/v2"),
        ("reg.example:5000", "https://reg.example:5000/v2"),
        ("localhost:5000", "http://localhost:5000/v2"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000/v2"),
        ("[::1]:5000", "http://[::1]:5000/v2"),
        ("127.0.0.1:443", "https://127.0.0.1:443/v2"),
        ("localhost", "https://localhost/v2"),
        ("127.0.0.1.example:5000", "https://127.0.0.1.example:5000/v2"),
    ],
)
def test_a_registry_without_configuration(host: str, url: str, tmp_path: Path) -> None:
    (only,) = hosts.load(str(tmp_path), host)
    assert (only.url, only.origin, only.tls_fallback) == (url, True, url.startswith("http:"))


def test_mirrors_come_in_the_order_of_the_file_and_the_server_last() -> None:
    found = parse(
        """
        server = "https://upstream.example/base"
        [host."http://z.example:80"]
        capabilities = ["pull"]
        [host."https://a.example/proxy/v2"]
        override_path = true
        [host."b.example"]
        """
    )
    assert [(one.url, one.origin) for one in found] == [
        ("http://z.example:80/v2", False),
        ("https://a.example/proxy/v2", False),
        ("https://b.example/v2", False),
        ("https://upstream.example/base/v2", True),
    ]
    assert [one.capabilities for one in found] == [frozenset({"pull"}), *[CAPABILITIES] * 3]


def test_every_key() -> None:
    mirror, _ = parse(
        """
        [host."https://m.example"]
        ca = ["ca.pem", "/abs.pem"]
        client = [["c.pem", "k.pem"], ["/d.pem", ""]]
        skip_verify = true
        dial_timeout = "1m2.5s"
        override_path = true
        [host."https://m.example".header]
        x-one = "1"
        x-two = ["2", "3"]
        """
    )
    assert mirror == RegistryHost(
        url="https://m.example",
        origin=False,
        ca=("/certs/ca.pem", "/abs.pem"),
        client=(("/certs/c.pem", "/certs/k.pem"), ("/d.pem", "")),
        skip_verify=True,
        dial_timeout_s=62.5,
        headers=(("x-one", "1"), ("x-two", "2"), ("x-two", "3")),
    )


@pytest.mark.parametrize(
    "text",
    [
        "server = 1",
        'host = "x"',
        '[host."ftp://x"]',
        '[host."https://x:port"]',
        '[host."https://x"]\nca = 1',
        '[host."https://x"]\nclient = [["a"]]',
        '[host."https://x"]\ncapabilities = "pull"',
        '[host."https://x"]\nskip_verify = "yes"',
        '[host."https://x"]\ndial_timeout = "soon"',
        '[host."https://x"]\ndial_timeout = "1.2.3s"',
        '[host."https://x".header]\na = 1',
        '[host]\n"https://x" = 1',
    ],
)
def test_values_of_a_wrong_kind_name_the_file(text: str) -> None:
    with pytest.raises(FailedPrecondition, match=r"/certs/hosts\.toml"):
        parse(text)


@pytest.mark.parametrize("folder", ["reg.example_5000_", "reg.example:5000", "_default"])
def test_folders_for_a_host_with_a_port(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "hosts.toml").write_text('[host."https://m.example"]')
    assert [one.name for one in hosts.load(str(tmp_path), "reg.example:5000")] == ["m.example", "reg.example:5000"]
    assert len(hosts.load(str(tmp_path), "other.example")) == (2 if folder == "_default" else 1)


def test_the_most_special_folder_wins() -> None:
    assert hosts.candidates("/c", "h:1") == ["/c/h_1_", "/c/h:1", "/c/_default"]
    assert hosts.candidates("/c", "h") == ["/c/h", "/c/_default"]
    assert hosts.candidates("", "h") == []


def test_certificates_without_hosts_toml(tmp_path: Path) -> None:
    folder = tmp_path / "reg.example"
    folder.mkdir()
    for name in ("a.crt", "b.cert", "b.key", "lonely.cert"):
        (folder / name).touch()
    (only,) = hosts.load(str(tmp_path), "reg.example")
    assert (only.ca, only.client) == ((f"{folder}/a.crt",), ((f"{folder}/b.cert", f"{folder}/b.key"),))


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    (tmp_path / "_default").mkdir()
    (tmp_path / "_default" / "hosts.toml").write_text("nonsense")
    with pytest.raises(FailedPrecondition, match=r"_default/hosts\.toml"):
        hosts.load(str(tmp_path), "any")
