"""The mark that all descendants of an exec carry."""

from __future__ import annotations

import subprocess

import pytest

from podwright.runtime.container import marking

LIMITS = b"""\
Limit                     Soft Limit           Hard Limit           Units
Max realtime priority     0                    0
Max realtime timeout      %s            %s            us
"""


@pytest.mark.parametrize(
    ("path", "offset"),
    [
        ("/run/x/exec-0123456789abcdef", 0x0123456789ABCDE),
        ("/run/x/exec-ffffffffffffffff.pid", 0xFFFFFFFFFFFFFFF),
        ("exec-0000000000000000.json", 0),
    ],
)
def test_marks_of_files(path: str, offset: int) -> None:
    mark = marking.of_path(path)
    assert mark == marking.BASE_US + offset
    assert mark < 1 << 63  # a number for every JSON parser, and finite for the kernel


@pytest.mark.parametrize("path", ["", "/run/exec-0123456789abcdef/config.json", "exec-1", "exec-ABCDEF0123456789"])
def test_other_files_have_none(path: str) -> None:
    assert marking.of_path(path) is None


@pytest.mark.parametrize("value", [b"unlimited", b"0", b"1000000", b"", b"x"])
def test_limits_that_are_no_marks(value: bytes) -> None:
    assert marking.mark_in(LIMITS % (value, value)) is None


def test_no_limits_at_all() -> None:
    assert marking.mark_in(b"") is None
    assert marking.mark_of(1 << 22) is None


def test_a_mark_is_inherited() -> None:
    mark = marking.BASE_US + 12345
    command = "import os; os.setsid(); os.fork() and os._exit(0); print(open('/proc/self/limits').read())"
    limited = ["prlimit", f"--rttime={mark}:{mark}", "python3", "-c", command]
    done = subprocess.run(limited, check=True, capture_output=True)
    assert marking.mark_in(done.stdout) == mark
