"""The parts of the agent, made of its configuration and of this machine, around one engine.

`agent` makes them in order, starts and closes them. Each other module makes parts of one kind. `app` assembles the
agent of a machine, `run` that of the pods of a file.
"""
