"""The cases that every handler must pass. They are coroutines: `for case in CASES: await case(world)`.

Our tests run them on the fake and on OCI runtimes. Authors of other handlers run them on theirs.
"""

from podwright.runtime.handlers.suite.cases import CASES
from podwright.runtime.handlers.suite.world import World

__all__ = ["CASES", "World"]
