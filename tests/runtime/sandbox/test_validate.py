"""What a sandbox cannot be, as a table; and what its resolv.conf says."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.errors import InvalidArgument, PodwrightError
from podwright.runtime.model.base import IdMapping, NamespaceMode, NamespaceOptions, UserNamespace
from podwright.runtime.model.sandbox import DnsConfig, PortMapping, SandboxConfig, SandboxName, SandboxSecurity
from podwright.runtime.sandbox import files, validate

NAME = SandboxName(name="n", namespace="ns", uid="u")
HOST = SandboxSecurity(namespaces=NamespaceOptions(network=NamespaceMode.NODE, ipc=NamespaceMode.NODE))
ROOT = (IdMapping(host_id=100000, container_id=0, length=1),)
SHIFTED = (IdMapping(host_id=100000, container_id=1, length=1),)
NOTHING = (IdMapping(host_id=100000, container_id=0, length=0),)
BEYOND = (IdMapping(host_id=2**32 - 2, container_id=0, length=2),)


def _config(**fields: Any) -> SandboxConfig:
    return SandboxConfig(**{"name": NAME, **fields})


def _user(**fields: Any) -> SandboxSecurity:
    return SandboxSecurity(namespaces=NamespaceOptions(user=UserNamespace(**fields)))


@pytest.mark.parametrize(
    "config",
    [
        _config(),
        _config(hostname="h" * 64, log_directory="/logs", cgroup_parent="/a/b.slice"),
        _config(port_mappings=(PortMapping(container_port=80, host_port=0),)),
        _config(sysctls={"net.ipv4.tcp_syncookies": "1", "kernel.shmmax": "1", "fs/mqueue/msg_max": "1"}),
        _config(security=HOST),
        _config(security=_user(mode=NamespaceMode.NODE)),
        _config(security=_user(uids=ROOT, gids=ROOT)),
    ],
)
def test_taken(config: SandboxConfig) -> None:
    validate.check(config)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (_config(name=SandboxName(name="", namespace="ns", uid="u")), "metadata.name is missing"),
        (_config(name=SandboxName(name="a/b", namespace="ns", uid="u")), "not a name"),
        (_config(name=SandboxName(name="n", namespace="x" * 254, uid="u")), "not a name"),
        (_config(hostname="h" * 65), "hostname"),
        (_config(hostname="a\nb"), "hostname"),
        (_config(log_directory="logs"), "not absolute"),
        (_config(cgroup_parent="/a/../b"), "must not contain"),
        (_config(security=SandboxSecurity(run_as_group=1)), "run_as_group"),
        (_config(security=SandboxSecurity(namespaces=NamespaceOptions(pid=NamespaceMode.TARGET))), "TARGET"),
        (_config(port_mappings=(PortMapping(container_port=80, host_port=65536),)), "out of range"),
        (_config(port_mappings=(PortMapping(container_port=0, host_port=80),)), "no container port"),
        (_config(port_mappings=(PortMapping(container_port=-1, host_port=0),)), "out of range"),
        (_config(sysctls={"kernel.panic": "1"}), "not namespaced"),
        (_config(sysctls={"net..ipv4": "1"}), "malformed"),
        (_config(sysctls={"net/../kernel/panic": "1"}), "malformed"),
        (_config(sysctls={"net.ipv4.x": "a\nb"}), "malformed"),
        (_config(sysctls={"net.ipv4.x": "1"}, security=HOST), "host's network"),
        (_config(sysctls={"kernel.shmmax": "1"}, security=HOST), "host's IPC"),
        (_config(security=_user(mode=NamespaceMode.NODE, uids=ROOT)), "no mappings"),
        (_config(security=_user(mode=NamespaceMode.CONTAINER, uids=ROOT, gids=ROOT)), "mode POD"),
        (_config(security=_user(mode=NamespaceMode.CONTAINER)), "mode POD"),
        (_config(security=_user(mode=NamespaceMode.TARGET)), "mode POD"),
        (_config(security=_user(uids=ROOT)), "exactly one"),
        (_config(security=_user(uids=ROOT * 2, gids=ROOT * 2)), "exactly one"),
        (_config(security=_user(uids=SHIFTED, gids=ROOT)), "must include id 0"),
        (_config(security=_user(uids=ROOT, gids=NOTHING)), "must include id 0"),
        (_config(security=_user(uids=ROOT, gids=BEYOND)), "exceed the range of ids"),
    ],
)
def test_refused(config: SandboxConfig, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        validate.check(config)


def test_every_refusal_is_one_of_ours() -> None:
    assert issubclass(InvalidArgument, PodwrightError)


@pytest.mark.parametrize(
    ("dns", "text"),
    [
        (None, "nameserver 9.9.9.9\n"),
        (DnsConfig(), ""),
        (DnsConfig(servers=("1.1.1.1",)), "nameserver 1.1.1.1\n"),
        (
            DnsConfig(servers=("1.1.1.1", "2.2.2.2"), searches=("a", "b"), options=("ndots:5", "rotate")),
            "search a b\nnameserver 1.1.1.1\nnameserver 2.2.2.2\noptions ndots:5 rotate\n",
        ),
    ],
)
def test_resolv_conf(dns: DnsConfig | None, text: str) -> None:
    assert files.resolv_conf(dns, "nameserver 9.9.9.9\n") == text
