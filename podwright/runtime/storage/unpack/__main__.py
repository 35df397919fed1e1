"""Finds the package, because the interpreter runs with -I -S and an empty path, then runs `program`.

    __main__.py TREE EXPECTED_BYTES MAX_UNPACKED_BYTES MAX_ENTRIES [SITE_DIRECTORY ...]

The arguments after the first four are the directories of isal and zstandard.
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

    # At once: an orderly exit would stop the decoding thread, for which glibc loads a library from the root.
    os._exit(main(sys.argv[1:5]))
