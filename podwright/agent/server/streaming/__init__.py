"""Upgraded connections between a client and the runtime's streaming server.

`backend` forwards the client's request, `pump` copies the bytes, `activity` finds idle connections. `options` parses
the parameters, and `translation` changes a client's WebSocket channels to SPDY.
"""
