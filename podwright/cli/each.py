"""Doing the same to several objects: results are printed as they come, failures reported, none stops the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import click

from podwright.cli.failures import FAILURE, Leave, exit_code_of, report
from podwright.errors import PodwrightError


async def for_each(words: Iterable[str], act: Callable[[str], Awaitable[str]]) -> None:
    """Call `act` with each word in turn and print what it returns.

    Raises Leave at the end when any failed: with the failures' exit code when it is the same for all.
    """
    codes = set()
    for word in words:
        try:
            click.echo(await act(word))
        except PodwrightError as failure:
            report(failure, debug=False)
            codes.add(exit_code_of(failure))
    if codes:
        raise Leave(codes.pop() if len(codes) == 1 else FAILURE)
