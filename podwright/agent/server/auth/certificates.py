"""The server's TLS: its certificate, and the authorities of its clients.

New connections use changed files. The files are checked when a connection comes, so an idle server does nothing.
"""

from __future__ import annotations

import logging
import os
import ssl
import weakref

import msgspec

from podwright.agent.config.node_sections import SecuritySection
from podwright.agent.server.auth import ciphers
from podwright.errors import FailedPrecondition, reason

log = logging.getLogger(__name__)

Stamp = tuple[int, int, int]  # of a file: inode, size, time of change


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The paths of certificate and key, and of the authorities of clients. Empty for none.

    `is_awaited`: the certificate may not exist yet.
    """

    certificate: str
    key: str
    client_ca: str = ""
    is_awaited: bool = False


class ServerContexts:
    """Makes contexts for connections. Connections with the same files share one."""

    def __init__(self, files: TlsFiles, security: SecuritySection) -> None:
        """Raises FailedPrecondition and InvalidArgument for unusable files and names."""
        self._files = files
        self._minimum = ciphers.minimum_version(security.tls_min_version)
        self._ciphers = ciphers.cipher_list(security.tls_cipher_suites)
        self._stamps = self._look()
        self._trusted: weakref.WeakSet[ssl.SSLContext] = weakref.WeakSet()
        self._context: ssl.SSLContext | None = None
        if not (files.is_awaited and self._stamps[0] is None):
            self._context = self._make()
            self._trusted.add(self._context)

    def trusts(self, context: ssl.SSLContext) -> bool:
        """Whether the context verified its client with the present authorities of clients."""
        self.current()
        return context in self._trusted

    def current(self) -> ssl.SSLContext:
        """The context for a new connection. If new files cannot be used, the old context stays.

        Raises FailedPrecondition while there is no certificate yet.
        """
        stamps = self._look()
        if stamps != self._stamps:
            has_new_authority = bool(self._files.client_ca) and stamps[-1] != self._stamps[-1]
            self._stamps = stamps
            try:
                self._context = self._make()
                if has_new_authority:
                    self._trusted.clear()
                self._trusted.add(self._context)
                log.info("the server's certificates have changed: certificate=%s", self._files.certificate)
            except FailedPrecondition as failure:
                log.warning("changed certificates cannot be used, the old ones stay: error=%s", failure)
        if self._context is None:
            raise FailedPrecondition(
                f"there is no serving certificate yet: {self._files.certificate}",
                hint="kubectl get csr shows the node's request, which somebody has to approve",
            )
        return self._context

    def _look(self) -> list[Stamp | None]:
        return [_stamp(path) for path in (self._files.certificate, self._files.key, self._files.client_ca) if path]

    def _make(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self._minimum
        # Clients do not resume. One that closes before it has read a ticket would reset the connection.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        files = self._files
        try:
            if self._ciphers:
                context.set_ciphers(self._ciphers)
            context.load_cert_chain(files.certificate, files.key)
            if files.client_ca:
                context.load_verify_locations(files.client_ca)
                context.verify_mode = ssl.CERT_OPTIONAL
        except (OSError, ssl.SSLError) as failure:
            names = ", ".join(path for path in (files.certificate, files.key, files.client_ca) if path)
            raise FailedPrecondition(
                f"the server's TLS files cannot be used ({names}): {reason(failure)}"
            ) from failure
        return context


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
