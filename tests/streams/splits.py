"""Byte streams cut into any pieces, as a socket may deliver them."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def pieces(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    """The stream in one to many pieces."""
    if not stream:
        return []
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(stream) - 1)), max_size=20)))
    ends = [*cuts, len(stream)]
    return [stream[begin:end] for begin, end in zip([0, *cuts], ends, strict=True) if begin < end]
