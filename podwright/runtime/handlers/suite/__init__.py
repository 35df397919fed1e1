"""What every handler must pass. Cases are coroutines that take a `World`: `for case in CASES: await case(world)`.

Tests run them on the fake and on OCI runtimes; whoever brings a handler of their own runs them on that.
"""

from podwright.runtime.handlers.suite.cases import CASES
from podwright.runtime.handlers.suite.world import World

__all__ = ["CASES", "World"]
