"""No garbage collection while pytest parses source code, because finalizers can break the parser of CPython 3.11.

Its parser counts its depth once for the whole interpreter. A finalizer that warns shows a traceback, which parses as
well. Then the count is wrong, and a failed test's report becomes `SystemError: AST constructor recursion depth
mismatch`, which ends the whole session (python/cpython issue 106905, fixed in 3.12).
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator, Iterator
from typing import Any

import pytest

__all__ = ["pytest_runtest_makereport", "pytest_sessionfinish", "pytest_terminal_summary"]


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """A failed test's traceback is made here."""
    with _no_collection():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish() -> Generator[None, Any, Any]:
    """Plugins import modules here, whose asserts are rewritten."""
    with _no_collection():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary() -> Generator[None, Any, Any]:
    """As `pytest_sessionfinish`."""
    with _no_collection():
        return (yield)
