"""The suites: one module for each, with `async def measure(bench: Bench) -> None`.

A suite runs on one target for one round. The run calls it for each target in turn.
"""
