"""What a pod as a whole may use, as a verbose status shows it."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.runtime.model.sandbox import Sandbox


def told(sandbox: Sandbox) -> dict[str, Any]:
    """What was noted last, or asked for at first, as JSON shows it."""
    current = {
        "overhead": sandbox.overhead or sandbox.config.overhead,
        "resources": sandbox.resources or sandbox.config.resources,
    }
    return {name: msgspec.to_builtins(value) for name, value in current.items() if value is not None}
