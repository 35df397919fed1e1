"""Reasons of failures in messages."""

from __future__ import annotations

import errno

import pytest

from podwright.errors import NotFound, reason


@pytest.mark.parametrize(
    ("failure", "path", "expected"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/a"), "/a", "No such file or directory"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", b"/b"), "/a", "No such file or directory: /b"),
        (OSError(errno.ENOSPC, "No space left on device"), "/a", "No space left on device"),
        (TimeoutError(), "/a", "TimeoutError"),
        (NotFound("no pod x", hint="look"), "", "no pod x (look)"),
    ],
)
def test_reasons(failure: Exception, path: str, expected: str) -> None:
    assert reason(failure, path=path) == expected
