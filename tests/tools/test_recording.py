"""The recording of the README: a terminal keeps what commands show, and the SVG shows each line while it is there."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET

import pytest

from podwright.conformance.patience import patient
from tools.recording import svg
from tools.recording.terminal import Frame, RecordingFailed, Run, Style, Terminal

PLAIN = Style("default", bold=False)
SVG = "{http://www.w3.org/2000/svg}"


def terminal() -> Terminal:
    return Terminal(columns=40, rows=6, longest_pause_s=0.1)


def line(text: str) -> tuple[Run, ...]:
    return (Run(0, text, PLAIN),)


def test_a_command_is_typed_and_its_output_is_kept() -> None:
    screen = terminal()
    screen.type("hello")
    screen.run([sys.executable, "-c", "print('\\x1b[31mred\\x1b[0m   words')"], timeout_s=patient(60))
    assert screen.text() == "$ hello\nred   words"
    assert [run.style.colour for run in screen.frames[-1].lines[1]] == ["red", "default"]
    assert screen.frames[-1].lines[1][1] == Run(6, "words", PLAIN)


def test_ctrl_c_ends_a_command_that_goes_on() -> None:
    program = (
        "import signal, sys, time\nsignal.signal(signal.SIGINT, lambda *_: sys.exit(0))\nprint('up')\ntime.sleep(60)"
    )
    screen = terminal()
    screen.run([sys.executable, "-u", "-c", program], until=lambda text: "up" in text, timeout_s=patient(60))
    assert "^C" in screen.text()


def test_a_command_that_fails_ends_the_recording() -> None:
    with pytest.raises(RecordingFailed, match="ended with 3"):
        terminal().run([sys.executable, "-c", "raise SystemExit(3)"], timeout_s=patient(60))


def test_a_line_is_drawn_once_for_as_long_as_it_is_the_same() -> None:
    frames = [Frame(0.0, (line("a"), ())), Frame(1.0, (line("a"), line("b"))), Frame(2.0, (line("c"), line("b")))]
    assert sorted(svg.visible_lines(frames, 5.0)) == [
        (0, line("a"), 0.0, 2.0),
        (0, line("c"), 2.0, 5.0),
        (1, line("b"), 1.0, 5.0),
    ]


def test_the_last_frame_is_what_a_viewer_without_animations_shows() -> None:
    frames = [Frame(0.0, (line("first <&>"),)), Frame(1.0, (line("last"),))]
    drawn = svg.draw(frames, columns=20, rows=1, last_s=2.0, title="t")
    texts = {"".join(text.itertext()): text.get("class") for text in ET.fromstring(drawn).iter(f"{SVG}text")}
    assert texts == {"first\u00a0<&>": "f0-1000", "last": "f1000-3000"}
    assert ".f0-1000 { opacity: 0;" in drawn
    assert ".f1000-3000 { opacity: 1;" in drawn
