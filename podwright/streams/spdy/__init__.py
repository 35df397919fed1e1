"""SPDY/3.1 as in Kubernetes, without I/O: frames, header blocks and a session of streams.

Kubernetes' clients and servers use a small part of SPDY: SYN_STREAM, SYN_REPLY, DATA, RST_STREAM, PING and GOAWAY.
They sometimes send SETTINGS and WINDOW_UPDATE, but enforce no flow control, and neither do we: a slow reader stops
reading the socket.
"""
