"""The part of a document between two markers, which a tool writes."""

from __future__ import annotations

import re


def with_marked(text: str, markers: tuple[str, str], content: str) -> str:
    """The text with `content` between the markers."""
    begin, end = markers
    made = f"{begin}\n\n{content}\n\n{end}"
    return re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: made, text, flags=re.DOTALL)
