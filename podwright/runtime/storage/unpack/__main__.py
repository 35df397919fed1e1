"""Finds the package (the interpreter runs with -I -S, so nothing is on the path), then runs `program`.

    __main__.py TREE EXPECTED_BYTES MAX_UNPACKED_BYTES MAX_ENTRIES [SITE_DIRECTORY ...]

`sys.argv` beyond the first four arguments are the directories that hold isal and zstandard.
"""

import os
import sys

PACKAGE_DEPTH = 5  # podwright/runtime/storage/unpack/__main__.py

if __name__ == "__main__":
    root = __file__
    for _ in range(PACKAGE_DEPTH):
        root = root.rpartition("/")[0]
    sys.path += [root, *sys.argv[5:]]
    from podwright.runtime.storage.unpack.program import main

    # At once: an orderly end would stop the decoding thread, for which glibc wants to load a library from the root.
    os._exit(main(sys.argv[1:5]))
