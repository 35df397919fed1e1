"""What a person reads when volumes are missing. Pure. The wording is the kubelet's, with the reasons added."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def set_up_failed(volume: str, problem: str) -> str:
    """The message of a FailedMount event."""
    return f'MountVolume.SetUp failed for volume "{volume}" : {problem}'


def attach_limit_reached(
    missing: Sequence[str], unattached: Sequence[str], unprocessed: Collection[str], problem: str
) -> str:
    """Why a pod is refused when the node has as many volumes as it may have. See `not_mounted`."""
    state = _state(missing, unattached, unprocessed, problem)
    return f"Node has reached its volume attachment limit, rejecting pod. {state}"


def not_mounted(
    missing: Sequence[str],
    unattached: Sequence[str],
    unprocessed: Collection[str],
    why: Mapping[str, str],
    problem: str,
) -> str:
    """Why a pod cannot start: the volumes that are missing, and the reasons.

    `unattached` are those that are not attached to the node yet, `unprocessed` those that cannot be planned, with
    `problem` as the reason.
    """
    text = f"Unable to attach or mount volumes: {_state(missing, unattached, unprocessed, problem)}"
    reasons = "; ".join(
        f"{name}: {why.get(name, 'it is still being set up')}" for name in missing if why.get(name) != problem
    )
    return f"{text}: {reasons}" if reasons else text


def _state(missing: Sequence[str], unattached: Sequence[str], unprocessed: Collection[str], problem: str) -> str:
    return (
        f"unmounted volumes={_listed(missing)}, unattached volumes={_listed(unattached)}, "
        f"failed to process volumes={_listed(sorted(unprocessed))}: {problem}"
    )


def _listed(names: Sequence[str]) -> str:
    """As Go prints a list of strings."""
    return f"[{' '.join(names)}]"
