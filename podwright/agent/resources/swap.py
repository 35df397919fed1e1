"""Whether the node may have swap (failSwapOn). `configs.resources` decides how much of it containers may use."""

from __future__ import annotations

from podwright.errors import FailedPrecondition

SWAPS = "/proc/swaps"


def check(*, fail_swap_on: bool, path: str = SWAPS) -> None:
    """Raises FailedPrecondition for a node with swap that is not to have any."""
    if fail_swap_on and has_swap(path):
        raise FailedPrecondition(
            "running with swap on is not supported, please disable swap or set --fail-swap-on flag to false",
            hint="swapoff -a, or failSwapOn: false and memorySwap.swapBehavior",
        )


def has_swap(path: str = SWAPS) -> bool:
    """Whether any swap is in use (proc_swaps(5)): a line follows the heads of the columns."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return len(file.read().strip().splitlines()) > 1
    except FileNotFoundError:  # a kernel without swap
        return False
