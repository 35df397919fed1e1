"""Shortens the output of a container for a message: a few lines without control characters. Pure."""

from __future__ import annotations

# 4 KiB of termination message can be 4,000 lines. The first lines often say what failed, and the last ones why.
FIRST_LINES = 3
LAST_LINES = 5
LINE_LIMIT_CHARACTERS = 240


def excerpt(text: str) -> str:
    """The text if it is short. Otherwise its first and last lines, and the number of lines between them.

    Lines are cut, and control characters of terminals are escaped.
    """
    lines = text.strip().splitlines()
    left_out = len(lines) - FIRST_LINES - LAST_LINES
    if left_out > 1:
        lines[FIRST_LINES:-LAST_LINES] = [f"[{left_out} more lines]"]
    return "\n".join(_shown(line) for line in lines)


def _shown(line: str) -> str:
    over = len(line) - LINE_LIMIT_CHARACTERS
    cut = line if over <= 0 else f"{line[:LINE_LIMIT_CHARACTERS]} [{over} more characters]"
    return "".join(each if each.isprintable() or each == "\t" else ascii(each)[1:-1] for each in cut)
