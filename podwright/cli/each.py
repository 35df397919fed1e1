"""Applies one operation to several objects: prints results at once, reports failures, and continues after them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import click

from podwright.cli.failures import FAILURE, Leave, exit_code_of, report
from podwright.errors import PodwrightError


async def for_each(references: Iterable[str], act: Callable[[str], Awaitable[str]]) -> None:
    """Call `act` for each reference in turn and print its results.

    If any failed, raises Leave at the end, with their exit code if it is the same for all.
    """
    codes = set()
    for reference in references:
        try:
            click.echo(await act(reference))
        except PodwrightError as failure:
            report(failure, debug=False)
            codes.add(exit_code_of(failure))
    if codes:
        raise Leave(codes.pop() if len(codes) == 1 else FAILURE)
