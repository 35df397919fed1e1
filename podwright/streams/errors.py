"""The failure that ends a streaming connection."""

from __future__ import annotations

from podwright.errors import InvalidArgument


class ProtocolError(InvalidArgument):
    """The peer violated a protocol or a limit of ours. Nothing after these bytes is readable: close the connection."""
