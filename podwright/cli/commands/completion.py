"""`podwright completion`: a shell script that completes commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "podwright"
VARIABLE = "_PODWRIGHT_COMPLETE"  # the one that click looks for when the program is called by this name


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS), default="bash")
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script that lets SHELL (default: bash) complete commands and options.

    \b
    bash: eval "$(podwright completion bash)"
    zsh:  eval "$(podwright completion zsh)"
    fish: podwright completion fish | source
    """
    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(context.find_root().command, {}, PROGRAM, VARIABLE).source(), nl=False)
