"""The failure that ends a streaming connection."""

from __future__ import annotations

from podwright.errors import InvalidArgument


class ProtocolError(InvalidArgument):
    """The peer broke a protocol or a limit of ours: nothing after these bytes can be read, close the connection."""
