"""One module per command, each with `command`. The table in `podwright.cli.app` lists them."""
