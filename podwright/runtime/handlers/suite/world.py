"""What the suite needs of the place that it runs in."""

from __future__ import annotations

from typing import Protocol

from podwright.runtime.handlers.protocol import Bundle, ExecProcess, Handler, SandboxBundle


class World(Protocol):
    """A handler, and containers for it. Programs are busybox's. The fake knows those that the cases use."""

    @property
    def handler(self) -> Handler:
        """The handler under test."""

    def bundle(self, *argv: str, terminal: bool = False, stdin: bool = False) -> Bundle:
        """A new container that runs a program, with a log."""

    def process(self, *argv: str, stdin: bool = False) -> ExecProcess:
        """A process to start in a container."""

    def sandbox(self) -> SandboxBundle:
        """A new pod's first process."""

    def killed(self) -> Handler:
        """The handler of a new daemon after the old one was killed. The old handler is not used any longer."""

    def log(self, bundle: Bundle) -> str:
        """What the container's log holds, without the format's prefixes."""
