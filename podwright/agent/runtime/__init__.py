"""The container runtime as the agent sees it. This is the only room that calls CRI.

Other rooms use the `CriRuntime` and `CriImages` of `protocol`, so that tests can have a runtime in memory. `client` is
the real one. `measured` measures its calls, `streamed_lists` makes lists by streaming RPCs, and `scope` shows an agent
only its own pods. `convert` turns messages into `records`. `watch` checks whether the runtime is ready, `handlers`
finds the handler of a pod and what it supports.
"""
