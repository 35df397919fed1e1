"""One line per event, whatever the event holds."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from podwright.daemon_log import set_up


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:], root.level = handlers, level


def test_a_line_stays_one_line(root_logger: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    set_up("info", lambda: "Pull-1")
    root_logger.info("cannot read a manifest: file=%s", "odd\n\x1b[31m\udcffname ü.yaml")
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith(" INFO root Pull-1 cannot read a manifest: file=odd\\n\\x1b[31m\\udcffname ü.yaml")


def test_a_traceback_has_its_lines(root_logger: logging.Logger, capfd: pytest.CaptureFixture[str]) -> None:
    set_up("info")
    try:
        raise ValueError("it broke")
    except ValueError:
        root_logger.exception("unforeseen")
    lines = capfd.readouterr().err.splitlines()
    assert lines[0].endswith(" ERROR root - unforeseen")
    assert lines[-1] == "ValueError: it broke"
