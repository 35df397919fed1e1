"""Why a SPDY connection ends."""

from __future__ import annotations

from podwright.errors import InvalidArgument


class SpdyError(InvalidArgument):
    """The peer broke the protocol or a limit of ours: nothing after these bytes can be read, close the connection."""
