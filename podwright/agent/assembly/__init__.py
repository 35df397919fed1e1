"""Assembles the agent: makes its parts from the configuration and this machine, around one engine.

`agent` makes them in order, starts and closes them, from a `context` with `dependencies`. Each other module makes
parts of one kind: `cluster`, `cgroups`, `managers`, `images`, `node`, `statuses`, `storage`, `defence` and `garbage`.
`late_engine` is for parts that need the engine, which is made last. `app` assembles the agent of a machine, `run` that
of `podwright run`.
"""
