"""Finds the package, because the interpreter runs with -I -S and an empty path, then runs `program`.

__main__.py TREE EXPECTED_TREE
"""

import os
import sys

PACKAGE_DEPTH = 5  # podwright/runtime/storage/compare/__main__.py

if __name__ == "__main__":
    root = __file__
    for _ in range(PACKAGE_DEPTH):
        root = root.rpartition("/")[0]
    sys.path += [root]
    from podwright.runtime.storage.compare.program import main

    os._exit(main(sys.argv[1:3]))
