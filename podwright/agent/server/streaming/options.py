"""Parses the parameters of exec, attach and port-forward. Pure.

Sources: remotecommand and portforward of k8s.io/cri-streaming.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podwright.errors import InvalidArgument
from podwright.streams import upgrade
from podwright.streams.remote_command.protocol import StreamType
from podwright.streams.websocket import handshake

Query = Mapping[str, list[str]]
PORTS_LIMIT = 127  # a WebSocket has two channels for each


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The streams that a client wants. A terminal has no stderr."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    def types(self) -> list[StreamType]:
        """The session's streams, in the order in which clients open them."""
        wanted = {
            StreamType.ERROR: True,
            StreamType.STDIN: self.stdin,
            StreamType.STDOUT: self.stdout,
            StreamType.STDERR: self.stderr,
            StreamType.RESIZE: self.tty,
        }
        return [each for each, is_wanted in wanted.items() if is_wanted]


def stream_options(query: Query) -> StreamOptions:
    """Parse the parameters. Raises InvalidArgument if there is no stream."""
    tty, stdin, stdout, stderr = (query.get(name, [""])[0] == "1" for name in ("tty", "input", "output", "error"))
    stderr = stderr and not tty
    if not (stdin or stdout or stderr):
        raise InvalidArgument("you must specify at least 1 of stdin, stdout, stderr")
    return StreamOptions(stdin=stdin, stdout=stdout, stderr=stderr, tty=tty)


def forwarded_ports(head: upgrade.UpgradeRequest, query: Query) -> list[int]:
    """The ports for a WebSocket with channels, empty for SPDY, which names ports later. Raises InvalidArgument."""
    if not head.asks_for(handshake.WEBSOCKET):
        return []
    texts = query.get("port", [])
    if not texts:
        raise InvalidArgument('query parameter "port" is required')
    ports = [_port(part, text) for text in texts for part in text.split(",")]
    if len(ports) > PORTS_LIMIT:
        raise InvalidArgument(f"a WebSocket has channels for {PORTS_LIMIT} ports at most")
    return ports


def _port(part: str, text: str) -> int:
    if not text:
        raise InvalidArgument('query parameter "port" cannot be empty')
    if not (part.isascii() and part.isdigit() and len(part) <= 5 and int(part) <= 65535):
        raise InvalidArgument(f'unable to parse "{text[:64]}" as a port')
    if int(part) < 1:
        raise InvalidArgument(f'port "{text[:64]}" must be > 0')
    return int(part)
