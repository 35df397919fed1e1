"""Makes the fixtures and hooks of `tests.fixtures` known to every test below: those in tests/, and the conformance
cases in podwright/conformance/, which run here on servers that the fixtures start.
"""

from hypothesis import HealthCheck, settings

from podwright.conformance.quiet_gc import *  # noqa: F403 # pytest finds fixtures and hooks by their names
from tests.fixtures import *  # noqa: F403 # as above
from tests.harness.session import *  # noqa: F403 # as above

# The one profile. How long an example takes, or is made, says more about the machine than about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
