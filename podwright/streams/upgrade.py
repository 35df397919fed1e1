"""HTTP/1.1 requests for a protocol upgrade, for both sides, without I/O.

h11 parses. Data after the request or the answer belongs to the new protocol, and is in `leftover`. `negotiation` and
`websocket.handshake` choose the protocol.
"""

from __future__ import annotations

import http
from collections.abc import Iterable, Mapping

import h11
import msgspec

from podwright.streams.errors import ProtocolError

HEAD_LIMIT_BYTES = 16 * 1024
BODY_LIMIT_BYTES = 4 * 1024  # for a refusal: enough to print
SWITCHING_PROTOCOLS = 101

Headers = Iterable[tuple[str, str]]


class UpgradeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The head of a request. Header names are in lower case, in order of arrival."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """The elements of a list header from all its lines, without blanks."""
        return _values(self.headers, name)

    def asks_for(self, protocol: str) -> bool:
        """Whether the request asks for an upgrade to this protocol."""
        wanted = [value.lower() for value in self.values("upgrade")]
        connection = [value.lower() for value in self.values("connection")]
        return "upgrade" in connection and protocol.lower() in wanted


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The head of an answer. `body` is the beginning of a refusal's text."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    def values(self, name: str) -> list[str]:
        """The elements of a list header from all its lines, without blanks."""
        return _values(self.headers, name)


class ServerHandshake:
    """The server's side of one connection until the upgrade or a refusal."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT_BYTES)
        self.leftover = b""

    def receive_data(self, data: bytes) -> UpgradeRequest | None:
        """The request once its head is complete. b"" means the end of the stream.

        Raises ProtocolError, then call `refuse`.
        """
        try:
            self._http.receive_data(data)
            event = self._http.next_event()
        except h11.RemoteProtocolError as failure:
            raise ProtocolError(f"this is not an HTTP/1.1 request: {failure}") from failure
        if isinstance(event, h11.Request):
            return UpgradeRequest(
                method=event.method.decode("ascii"),
                target=event.target.decode("latin-1"),
                headers=_decoded(event.headers),
            )
        if isinstance(event, h11.ConnectionClosed):
            raise ProtocolError("the connection ended before a request came")
        return None

    def switch(self, headers: Headers) -> bytes:
        """101 with these headers. From here on the connection uses the new protocol, starting with `leftover`.

        Raises ProtocolError if the request has a body or does not ask for an upgrade.
        """
        try:
            if not isinstance(self._http.next_event(), h11.EndOfMessage):
                raise ProtocolError("a request for an upgrade has a body")
            answer = self._http.send(
                h11.InformationalResponse(
                    status_code=SWITCHING_PROTOCOLS, headers=list(headers), reason=b"Switching Protocols"
                )
            )
        except (h11.RemoteProtocolError, h11.LocalProtocolError) as failure:
            raise ProtocolError(f"this request cannot be upgraded: {failure}") from failure
        self.leftover = self._http.trailing_data[0]
        return answer or b""

    def refuse(self, status: int, message: str, headers: Headers = ()) -> bytes:
        """An answer with a line of text. Close the connection afterwards. No bytes if an answer was already sent."""
        body = f"{message}\n".encode()
        head = [*headers, ("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body)))]
        response = h11.Response(
            status_code=status,
            headers=[*head, ("connection", "close")],
            reason=http.HTTPStatus(status).phrase.encode(),
        )
        try:
            return b"".join(
                self._http.send(event) or b"" for event in (response, h11.Data(data=body), h11.EndOfMessage())
            )
        except h11.LocalProtocolError:  # an answer has already begun
            return b""


class ClientHandshake:
    """The client's side of one connection until the upgrade or a refusal."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT_BYTES)
        self._refusal: Response | None = None
        self._body = bytearray()
        self.leftover = b""

    def request(self, method: str, host: str, target: str, headers: Headers) -> bytes:
        """The request. `host` is the host header, `headers` describe the upgrade."""
        event = h11.Request(method=method, target=target, headers=[("host", host), *headers])
        return (self._http.send(event) or b"") + (self._http.send(h11.EndOfMessage()) or b"")

    def receive_data(self, data: bytes) -> Response | None:
        """The answer once it is complete, for a refusal with its text. b"" means the end of the stream.

        Raises ProtocolError for invalid HTTP, or an early end.
        """
        try:
            self._http.receive_data(data)
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    return None
                if (response := self._answer(event)) is not None:
                    return response
        except h11.RemoteProtocolError as failure:
            raise ProtocolError(f"the answer is not HTTP/1.1: {failure}") from failure

    def _answer(self, event: object) -> Response | None:
        if isinstance(event, h11.InformationalResponse) and event.status_code == SWITCHING_PROTOCOLS:
            self.leftover = self._http.trailing_data[0]
            return Response(status=SWITCHING_PROTOCOLS, headers=_decoded(event.headers))
        if isinstance(event, h11.Response):
            self._refusal = Response(status=event.status_code, headers=_decoded(event.headers))
        elif isinstance(event, h11.Data):
            self._body += event.data[: BODY_LIMIT_BYTES - len(self._body)]
        elif isinstance(event, h11.ConnectionClosed) and self._refusal is None:
            raise ProtocolError("the connection ended before an answer came")
        complete = isinstance(event, h11.EndOfMessage | h11.ConnectionClosed) or len(self._body) == BODY_LIMIT_BYTES
        if self._refusal is None or not complete:
            return None
        text = self._body.decode(errors="replace").strip()
        return Response(status=self._refusal.status, headers=self._refusal.headers, body=text)


def upgrade_headers(protocol: str, more: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """The headers that the request and the answer of an upgrade share."""
    return [("connection", "Upgrade"), ("upgrade", protocol), *(more or {}).items()]


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in headers)


def _values(headers: Iterable[tuple[str, str]], name: str) -> list[str]:
    joined = ",".join(value for each, value in headers if each == name)
    return [value.strip() for value in joined.split(",") if value.strip()]
