"""One module per command, each defining `command`; the table in `podwright.cli.app` names them."""
