"""Recovers the state of the CPU and memory managers after a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from podwright.agent.resources.state_files import read_state
from podwright.errors import FailedPrecondition

State = TypeVar("State")


class StatePolicy(Protocol[State]):
    """The policy of a manager."""

    def initial(self) -> State:
        """The state of a node without pods."""

    def check(self, state: State) -> None:
        """Check a state. Raises FailedPrecondition if it does not fit this machine."""


def recover_state(
    path: str, decode: Callable[[bytes], State], empty: State, policy: StatePolicy[State] | None, manager: str
) -> State:
    """The checked state of the file at `path`. `empty` is the state without a file, `manager` the manager's name.

    Raises FailedPrecondition. Like a kubelet, the agent then does not start: pods may use what would be allotted to
    others.
    """
    content = read_state(path)
    try:
        found = decode(content) if content is not None else empty
        if policy is not None:
            found = policy.initial() if found == empty else found
            policy.check(found)
    except FailedPrecondition as failure:
        raise FailedPrecondition(
            f"could not restore state from checkpoint: {failure.message}",
            hint=f"drain this node and delete the {manager} manager checkpoint file {path!r}",
        ) from failure
    return found
