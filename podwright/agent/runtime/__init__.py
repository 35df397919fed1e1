"""The container runtime as the agent sees it: what it can be asked for, and what it says is there.

The one room that calls CRI. Everything above speaks to the `CriRuntime` and `CriImages` protocols, so that a fake in
memory stands in for a runtime in tests.
"""
