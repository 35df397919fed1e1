"""The command line. `app` is the entry point. Each command is a module in `commands`, loaded when it is called.

Commands use CRI with any endpoint. Only `serve`, `config`, `run`, `bench` and `doctor` import other rooms, when
called. No room below imports this one.
"""
