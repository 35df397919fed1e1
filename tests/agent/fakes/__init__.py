"""Stand-ins in memory for what the agent talks to, for tests on virtual time."""
