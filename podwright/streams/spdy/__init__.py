"""SPDY/3.1 as Kubernetes speaks it, without input or output: frames, header blocks and a session of streams.

The stock clients and servers use a small part of SPDY: SYN_STREAM, SYN_REPLY, DATA, RST_STREAM, PING and GOAWAY.
They send SETTINGS and WINDOW_UPDATE now and then, but enforce no flow control, and neither do we: a reader that is
slow stops reading the socket.
"""
