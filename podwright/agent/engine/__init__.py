"""The engine of the agent: it ties sources, PLEG, loop, workers and housekeeping together.

`engine` is that wiring, `ports` what it needs of other rooms and of the configuration, `shared_state` what those rooms
and the engine both use.
"""
