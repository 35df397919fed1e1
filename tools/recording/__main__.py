"""`python -m tools.recording`, see the package."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tools.recording import session, stage, svg
from tools.recording.terminal import RecordingFailed, Terminal

COLUMNS, ROWS = 100, 24
LONGEST_PAUSE_S = 1.5
LAST_S = 4.0


def main() -> int:
    """Record and write the SVG."""
    parser = argparse.ArgumentParser(prog="python -m tools.recording", description="record the README's session")
    parser.add_argument("--out", type=Path, default=stage.TREE / "docs/session.svg")
    out = parser.parse_args().out
    if os.geteuid() != 0:
        print("recording: needs root, for namespaces and cgroups", file=sys.stderr)
        return 2
    if not stage.is_inside():
        return stage.enter(sys.argv[1:])
    terminal = Terminal(columns=COLUMNS, rows=ROWS, longest_pause_s=LONGEST_PAUSE_S)
    try:
        with stage.machine():
            session.play(terminal)
    except RecordingFailed as failed:
        print(f"recording: {failed}", file=sys.stderr)
        return 1
    out.write_text(
        svg.draw(
            terminal.frames, columns=COLUMNS, rows=ROWS, last_s=LAST_S, title="A Pod by podwright run, then on a node"
        )
    )
    print(f"{out}: {len(terminal.frames)} frames, {terminal.frames[-1].at_s:.0f} s, {out.stat().st_size // 1024} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
