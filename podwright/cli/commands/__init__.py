"""The commands: one module for each, with `command`. The table in `podwright.cli.app` lists them."""
