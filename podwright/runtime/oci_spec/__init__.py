"""From what CRI asks for to an OCI runtime spec: pure functions from values to JSON-ready dicts.

`builder.build` puts the parts together; nothing in this room touches the host. Tests are tables.
"""
