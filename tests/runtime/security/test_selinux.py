"""Which labels pods and containers get, and what cannot be one."""

from __future__ import annotations

from typing import Any

import pytest

from podwright.errors import InvalidArgument
from podwright.linux.selinux import DEFAULT_CONTEXTS
from podwright.runtime.model.base import SelinuxOptions
from podwright.runtime.model.ids import SandboxId
from podwright.runtime.model.sandbox import Sandbox, SandboxConfig, SandboxName, SandboxSecurity, SandboxState
from podwright.runtime.security.selinux import check, labels, of_sandbox


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"level": "s0"},
        {"level": "s0:c4,c5"},
        {"level": "s0-s0:c0.c1023"},
        {"level": "s0:c1.c3,c7,c9.c11"},
        {"user": "system_u", "role": "system_r", "type": "svirt_lxc_net_t", "level": "s0:c4"},
    ],
)
def test_taken(fields: dict[str, str]) -> None:
    check("pod", SelinuxOptions(**fields))
    check("pod", None)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"level": "s0,c4,c5"}, "level"),
        ({"level": "s0:"}, "level"),
        ({"level": "s0:c4,c5\n"}, "level"),
        ({"level": "s10"}, "level"),
        ({"level": "s0:c12345"}, "level"),
        ({"type": "a:b"}, "type"),
        ({"user": 'x",rw,context="'}, "user"),
        ({"role": "r r"}, "role"),
    ],
)
def test_refused(fields: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidArgument, match=f"pod: selinux {words}"):
        check("pod", SelinuxOptions(**fields))


POD = SelinuxOptions(type="pod_t", level="s0:c7,c8")


@pytest.mark.parametrize(
    ("wanted", "privileged", "process", "file"),
    [
        ((None, None), False, "system_u:system_r:container_t:s0:c1,c2", "system_u:object_r:container_file_t:s0:c1,c2"),
        ((POD, None), False, "system_u:system_r:pod_t:s0:c7,c8", "system_u:object_r:container_file_t:s0:c7,c8"),
        (
            (POD, SelinuxOptions(type="own_t", user="u")),
            False,
            "u:system_r:own_t:s0:c7,c8",
            "u:object_r:container_file_t:s0:c7,c8",
        ),
        (
            (POD, SelinuxOptions(level="s0")),
            False,
            "system_u:system_r:pod_t:s0",
            "system_u:object_r:container_file_t:s0",
        ),
        ((POD, None), True, "system_u:system_r:spc_t:s0", "system_u:object_r:container_file_t:s0:c7,c8"),
    ],
    ids=["policy", "pod", "container", "level", "privileged"],
)
def test_labels(wanted: tuple[Any, ...], privileged: bool, process: str, file: str) -> None:
    own = labels(DEFAULT_CONTEXTS, "s0:c1,c2", *wanted, privileged=privileged)
    assert (str(own.process), str(own.file)) == (process, file)


def test_of_a_sandbox() -> None:
    sandbox = Sandbox(
        id=SandboxId("s"),
        config=SandboxConfig(
            name=SandboxName(name="n", namespace="ns", uid="u"), security=SandboxSecurity(selinux=POD)
        ),
        handler="crun",
        state=SandboxState.READY,
        created_at=1,
        selinux_level="s0:c1,c2",
    )
    assert of_sandbox(None, sandbox) is None
    own = of_sandbox(DEFAULT_CONTEXTS, sandbox)
    assert own is not None
    assert str(own.process) == "system_u:system_r:pod_t:s0:c7,c8"
