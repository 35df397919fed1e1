"""HTTP/1.1 for the agent's servers, over TCP, TLS and the agent's own socket.

It is not aiohttp: the API passes connections on to SPDY, which aiohttp cannot do, and needs a half-close on TLS, which
asyncio lacks. h11 parses, and `podwright.streams` has the wires. `listener` accepts connections on `sockets`,
`exchange` serves one connection, `messages` are what handlers see, `routing` finds the handler, `dates` has the form
of dates.
"""
