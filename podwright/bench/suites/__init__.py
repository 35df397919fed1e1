"""What can be measured: one module per suite, each with `async def measure(bench: Bench) -> None`.

A suite runs on one target for one round; the run calls it for each target in turn.
"""
