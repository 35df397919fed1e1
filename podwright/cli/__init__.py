"""What people type. `app` is the way in; every command is a module of its own in `commands`, loaded when called.

The commands speak CRI to whatever endpoint they are given; only `serve`, `config`, `run`, `bench` and `doctor`
reach into other rooms, and do so when called. Nothing below imports this room.
"""
