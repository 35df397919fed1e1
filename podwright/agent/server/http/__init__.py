"""HTTP/1.1 for the agent's servers, over TCP, TLS and the agent's own socket.

Not aiohttp's: the API hands connections over to SPDY, which aiohttp cannot do, and needs a half-close on TLS, which
asyncio has not. h11 parses, `podwright.streams` has the wires.
"""
