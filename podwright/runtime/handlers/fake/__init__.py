"""A handler in memory, for tests without root: it runs no program, but behaves as one that does.

`handler` makes tasks (`task`) on a `host`, which outlives the daemon. It knows the few programs that the suite of
handlers uses (`sleep`, `cat`, `echo`, `sh -c 'exit N'`). As a handler of virtual machines would, it has no PIDs and no
cgroups on this host, and writes its own log.
"""

from podwright.runtime.handlers.fake.handler import FakeHandler, FakeKind
from podwright.runtime.handlers.fake.host import FakeHost

__all__ = ["FakeHandler", "FakeHost", "FakeKind"]
