"""The global options, which every command gets. Imports nothing heavy, because `--help` uses it."""

from __future__ import annotations

import click
import msgspec

from podwright.cri.endpoint import choose_endpoint


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """The global options as given."""

    endpoint: str | None
    debug: bool

    def chosen_endpoint(self) -> str:
        """The endpoint: from the option, the environment or the default. Raises InvalidArgument."""
        return choose_endpoint(self.endpoint)


pass_invocation = click.make_pass_decorator(Invocation)
