"""Loads the modules of a daemon, which are more than a thousand."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def modules_to_keep() -> Iterator[None]:
    """What is loaded inside stays until the end of the process, and garbage collections never look at it.

    It is most of a daemon's objects. A full collection that looks at all of them stops the event loop for 20 ms
    and more, and several of them would lengthen the start.
    """
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
