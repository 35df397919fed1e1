"""The container runtime as the agent sees it: what it can be asked for, and what it says is there.

The one room that calls CRI. Everything above speaks to the `CriRuntime` and `CriImages` of `protocol`, so that a fake
in memory stands in for a runtime in tests. `client` is the real one (`measured` times its calls, `scope` shows an
agent its own pods alone), `convert` turns messages into `records`. `watch` asks whether the runtime is ready,
`handlers` says what a pod's handler can do.
"""
