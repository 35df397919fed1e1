"""Finds the package, because the interpreter runs with -I -S and an empty path, then runs `program`."""

import sys

PACKAGE_DEPTH = 6  # podwright/runtime/handlers/shim/log_writer/__main__.py

if __name__ == "__main__":
    root = __file__
    for _ in range(PACKAGE_DEPTH):
        root = root.rpartition("/")[0]
    sys.path.append(root)
    from podwright.runtime.handlers.shim.log_writer.program import main

    sys.exit(main())
