"""Measuring any CRI endpoint from the outside: how fast pods start and end, and what they cost in memory.

The CLI calls `run.run_bench`. Each suite in `suites` measures one thing; `stats` is pure; `report` holds the result
as data, JSON and a table. Knows CRI and /proc, nothing of our own runtime.
"""
