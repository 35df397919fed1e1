"""Containers' logs: the Engine's json-file logs, copied to files in CRI's format, without a loss or a double.

The Engine writes its file also while no Podwright runs, which an attached client would miss. And its API for logs
does not say where a record ends. So the file is read. See `copying` for how a killed daemon goes on.
"""
