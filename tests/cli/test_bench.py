"""What `podwright bench` makes of its options, before anything is measured."""

from __future__ import annotations

import pytest

from podwright.bench.options import SUITES, TargetOptions
from podwright.cli.commands.bench import chosen_suites
from tests.cli.conftest import Cli

PLAIN = TargetOptions(name="a", endpoint="unix:///a")
WITH_AGENT = TargetOptions(name="b", endpoint="unix:///b", agent=("kubelet",))


@pytest.mark.parametrize(
    ("suites", "targets", "expected"),
    [
        (("start",), (PLAIN,), ("start",)),
        (("exec", "start", "exec"), (PLAIN,), ("exec", "start")),
        (("agent",), (PLAIN,), ("agent",)),
        (("all",), (PLAIN, WITH_AGENT), SUITES),
        (("start", "all"), (PLAIN,), SUITES[:-1]),
    ],
    ids=str,
)
def test_all_suites_have_the_agent_where_there_is_one(
    suites: tuple[str, ...], targets: tuple[TargetOptions, ...], expected: tuple[str, ...]
) -> None:
    assert chosen_suites(suites, targets) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--agent", "kubelet"), "'kubelet' does not name the endpoint that it is for"),
        (("--agent", "a=kubelet 'x"), '"kubelet \'x" is not a command: No closing quotation'),
        (("--agent", "b=kubelet"), "no endpoint is named b"),
        (("--agent-pods", "50,x"), "not a valid integer list"),
        (("--idle", "0"), "0"),
    ],
    ids=str,
)
async def test_options_that_make_no_sense_are_named(podwright: Cli, arguments: tuple[str, ...], message: str) -> None:
    done = await podwright("bench", "-e", "a=/nonexistent/s", *arguments)
    assert done.code == 2
    assert message in done.err
