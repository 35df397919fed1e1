"""Frames of a terminal as one SVG that plays by itself. Pure.

A line of the screen is drawn once for each time that it looks different, and is visible while it looks like that: CSS
steps an animation of its opacity. A viewer without animations shows the last frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.sax.saxutils import escape

from tools.recording.terminal import Frame, Line, Run

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, MARGIN = 8.43, 19, 14, 16
BAR_HEIGHT = 28
NO_BREAK = "\u00a0"  # viewers collapse ordinary spaces
BACKGROUND, FOREGROUND = "#0d1117", "#c9d1d9"
COLOURS = {
    "default": FOREGROUND,
    "black": "#484f58",
    "red": "#ff7b72",
    "green": "#3fb950",
    "brown": "#d29922",
    "blue": "#58a6ff",
    "magenta": "#bc8cff",
    "cyan": "#39c5cf",
    "white": "#b1bac4",
}

Visible = tuple[int, Line, float, float]  # row, what it shows, from, to


def draw(frames: Sequence[Frame], *, columns: int, rows: int, last_s: float, title: str) -> str:
    """The SVG. It begins anew after the last frame was shown for `last_s` seconds."""
    total = frames[-1].at_s + last_s
    width = round(columns * CELL_WIDTH + 2 * MARGIN)
    height = rows * CELL_HEIGHT + 2 * MARGIN + BAR_HEIGHT
    shown = list(visible_lines(frames, total))
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">',
            f"<title>{escape(title)}</title>",
            "<style>",
            f"text {{ font: {FONT_SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace}}",
            *_animations(shown, total),
            "</style>",
            f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
            *(
                f'<circle cx="{MARGIN + 4 + 20 * i}" cy="18" r="6" fill="{colour}"/>'
                for i, colour in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))
            ),
            *_texts(shown, total),
            "</svg>\n",
        )
    )


def visible_lines(frames: Sequence[Frame], total_s: float) -> Iterator[Visible]:
    """Each line for as long as it looks the same. Empty lines are left out."""
    since: dict[int, tuple[Line, float]] = {}
    for frame in frames:
        for row, line in enumerate(frame.lines):
            before = since.get(row)
            if before is not None and before[0] == line:
                continue
            if before is not None and before[0]:
                yield row, before[0], before[1], frame.at_s
            since[row] = line, frame.at_s
    yield from ((row, line, start, total_s) for row, (line, start) in since.items() if line)


def _animations(shown: Sequence[Visible], total: float) -> Iterator[str]:
    for start, end in sorted({(start, end) for _, _, start, end in shown}):
        if (start, end) == (0.0, total):
            continue
        name = _name(start, end)
        stops = [(0.0, start == 0.0), (start, True), (end, end == total)]
        keys = " ".join(f"{100 * at / total:.3f}% {{ opacity: {int(on)} }}" for at, on in _distinct(stops))
        last = int(end == total)
        yield f"@keyframes {name} {{ {keys} 100% {{ opacity: {last} }} }}"
        yield f".{name} {{ opacity: {last}; animation: {name} {total:.2f}s step-end infinite }}"


def _distinct(stops: list[tuple[float, bool]]) -> Iterator[tuple[float, bool]]:
    """The last one of the stops at each time."""
    yield from (one for one, following in pairwise(stops) if one[0] != following[0])
    yield stops[-1]


def _name(start: float, end: float) -> str:
    return f"f{round(start * 1000)}-{round(end * 1000)}"


def _texts(shown: Sequence[Visible], total: float) -> Iterator[str]:
    for row, line, start, end in shown:
        y = BAR_HEIGHT + MARGIN + row * CELL_HEIGHT + FONT_SIZE
        visible = "" if (start, end) == (0.0, total) else f' class="{_name(start, end)}"'
        yield f'<text y="{y}"{visible}>{"".join(map(_span, line))}</text>'


def _span(run: Run) -> str:
    colour = COLOURS.get(run.style.colour, f"#{run.style.colour}")
    weight = ' font-weight="bold"' if run.style.bold else ""
    text = escape(run.text.replace(" ", NO_BREAK))
    return f'<tspan x="{MARGIN + run.column * CELL_WIDTH:.1f}" fill="{colour}"{weight}>{text}</tspan>'
