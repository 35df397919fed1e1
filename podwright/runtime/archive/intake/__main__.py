"""Finds the package, because the interpreter runs with -I -S and an empty path, then runs `program`.

    __main__.py FOLDER PREFIX MAX_BYTES [SITE_DIRECTORY ...]

The arguments after the first three are the directories of isal and zstandard.
"""

import os
import sys

PACKAGE_DEPTH = 5  # podwright/runtime/archive/intake/__main__.py

if __name__ == "__main__":
    root = __file__
    for _ in range(PACKAGE_DEPTH):
        root = root.rpartition("/")[0]
    sys.path += [root, *sys.argv[4:]]
    from podwright.runtime.archive.intake.program import main

    os._exit(main(sys.argv[1:4]))  # at once: during an orderly exit glibc may try to load a library from the root
