"""CRI's configuration to an OCI runtime spec: pure functions from values to JSON-ready dicts.

`builder.build` joins the parts. Nothing in this room touches the host, so its tests are tables.
"""
