"""Options that several commands share, so that they look and behave the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from podwright.cli import agent_socket
from podwright.errors import InvalidArgument

Function = TypeVar("Function", bound=Callable[..., Any])

PROGRAM_FORMS = ("json", "yaml")


def output_option(*, wide: bool = False) -> Callable[[Function], Function]:
    """`-o json|yaml` and, for tables with more columns, `-o wide`. The value is None for the plain table."""
    forms = [*PROGRAM_FORMS, *(["wide"] if wide else [])]
    return click.option("--output", "-o", type=click.Choice(forms), help="The output format, instead of the table.")


def quiet_option(what: str) -> Callable[[Function], Function]:
    """`-q`: print only ids."""
    return click.option("--quiet", "-q", is_flag=True, help=f"Print only the ids of the {what}.")


def kind_option(*kinds: str) -> Callable[[Function], Function]:
    """`--type`, if an ID may name objects of several kinds. None means any kind."""
    return click.option(
        "--type", "kind", type=click.Choice(kinds), help="The kind of object. Default: any that matches."
    )


whole_ids_option = click.option("--no-trunc", is_flag=True, help="Do not shorten ids.")
label_option = click.option(
    "--label",
    "-l",
    "labels",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only objects with this label. May be repeated.",
)

agent_socket_option = click.option(
    "--agent-socket",
    metavar="PATH",
    default=agent_socket.DEFAULT_PATH,
    show_default=True,
    help="Where this machine's agent answers.",
)


def parse_labels(pairs: tuple[str, ...]) -> dict[str, str]:
    """`KEY=VALUE` options as a selector. Raises InvalidArgument."""
    selector = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not key or not separator:
            raise InvalidArgument(f"label {pair!r} is not KEY=VALUE")
        selector[key] = value
    return selector
