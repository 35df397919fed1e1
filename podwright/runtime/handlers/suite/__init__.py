"""The cases that every handler must pass, as coroutines: `for case in CASES: await case(world)`.

`cases` has them, `world` is what they need of the place that they run in. Our tests run them on the fake and on OCI
runtimes. Authors of other handlers run them on theirs.
"""

from podwright.runtime.handlers.suite.cases import CASES
from podwright.runtime.handlers.suite.world import World

__all__ = ["CASES", "World"]
