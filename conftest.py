"""The plug-ins of the tests, those in tests/ and the conformance cases in podwright/conformance/.

Coverage comes first: it begins before anything of the package is imported.
"""

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.harness.coverage",
    "podwright.conformance.quiet_gc",
    "tests.harness.session",
    "tests.fixtures",
]

# The one profile. How long an example takes, or is made, says more about the machine than about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
