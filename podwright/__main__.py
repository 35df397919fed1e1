"""`python -m podwright`, and the `podwright` script: nothing but the way into `podwright.cli`."""

from __future__ import annotations

import sys

from podwright.cli.app import run


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
