"""gRPC's codes as Go's metrics write them. Pure."""

from __future__ import annotations

from podwright.cri.status import go_name

OK, CANCELLED = "OK", "CANCELLED"  # as gRPC's specification writes them
_OTHERS = {OK: "OK", CANCELLED: "Canceled"}


def go_code(name: str) -> str:
    """`DeadlineExceeded` for `DEADLINE_EXCEEDED`."""
    return _OTHERS.get(name) or go_name(name)
