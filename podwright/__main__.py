"""`python -m podwright`, and the `podwright` script: nothing but the way into `podwright.cli`, and out again."""

from __future__ import annotations

import atexit
import os
import signal
import sys


def main() -> None:
    """Run the command line and leave with its exit code.

    Everything is closed and flushed by then. What the interpreter would do besides is take its memory apart, for
    which a daemon's restart would wait longer than for all the rest of its stop.
    """
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a Ctrl-C while modules are loaded: no traceback
    from podwright.cli.app import run  # noqa: PLC0415 # see above

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    code = run(sys.argv[1:])
    atexit._run_exitfuncs()  # os._exit leaves them out
    os._exit(code)


if __name__ == "__main__":
    main()
