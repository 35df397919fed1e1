"""Containers' logs: the Engine's json-file logs, copied to files in CRI's format, without a loss or a double.

The Engine writes its file also while no Podwright runs, which an attached client would miss. And its API for logs does
not say where a record ends. So the file is read. `copies` wakes a copy for each running container, `copying` makes its
steps, also after an earlier daemon was killed, `position` notes how far it is, and `records` converts.
"""
