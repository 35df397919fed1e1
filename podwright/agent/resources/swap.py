"""Checks whether the node may have swap (failSwapOn).

`configs.resources` decides how much of it containers may use.
"""

from __future__ import annotations

from podwright.errors import FailedPrecondition

SWAPS = "/proc/swaps"


def check(*, fail_swap_on: bool, path: str = SWAPS) -> None:
    """Raise FailedPrecondition if the node has swap and must not."""
    if fail_swap_on and has_swap(path):
        raise FailedPrecondition(
            "running with swap on is not supported, please disable swap or set --fail-swap-on flag to false",
            hint="swapoff -a, or failSwapOn: false and memorySwap.swapBehavior",
        )


def has_swap(path: str = SWAPS) -> bool:
    """Whether the node has swap (proc_swaps(5)): a line follows the header."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return len(file.read().strip().splitlines()) > 1
    except FileNotFoundError:  # a kernel without swap
        return False
