"""Why a SPDY connection ends."""

from __future__ import annotations

from podwright.streams.errors import ProtocolError


class SpdyError(ProtocolError):
    """The peer violated SPDY or a limit of ours."""
