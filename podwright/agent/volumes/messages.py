"""The messages about missing volumes. Pure. The wording is the kubelet's, with added reasons."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence


def set_up_failed(volume: str, problem: str) -> str:
    """The message of a FailedMount event."""
    return f'MountVolume.SetUp failed for volume "{volume}" : {problem}'


def attach_limit_reached(
    missing: Sequence[str], unattached: Sequence[str], unprocessed: Collection[str], problem: str
) -> str:
    """Why a pod is refused when the node has reached its limit of volumes. See `not_mounted`."""
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

    `unattached` has the volumes that are not attached to the node yet, `unprocessed` those that cannot be planned, for
    the reason `problem`.
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
    """The names as Go prints a list of strings."""
    return f"[{' '.join(names)}]"
