"""`podwright config`: the daemon's effective configuration."""

from __future__ import annotations

import click

from podwright.cli.output import print_data


@click.command("config")
@click.option("--config", "config_file", metavar="FILE", help="TOML file [default: /etc/podwright/config.toml].")
@click.option("--output", "-o", type=click.Choice(("toml", "json", "yaml")), default="toml", show_default=True)
def command(config_file: str | None, output: str) -> None:
    """Print the daemon's effective configuration: the defaults with the values of the file."""
    from podwright.runtime.config import dump_config, load_config  # noqa: PLC0415 # the daemon's modules are for the daemon

    effective = load_config(config_file)
    if output == "toml":
        click.echo(dump_config(effective), nl=False)
        return
    import msgspec  # noqa: PLC0415 # only this form needs it

    print_data(msgspec.to_builtins(effective), output)
