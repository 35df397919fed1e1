"""SPDY/3.1 as in Kubernetes, without I/O.

`session` is a connection as a state machine with `events`: bytes in `frames`, with `headers` (`dictionary`) and
`windows`. `errors` has its end. Kubernetes' clients and servers use a small part of SPDY: SYN_STREAM, SYN_REPLY, DATA,
RST_STREAM, PING and GOAWAY. They sometimes send SETTINGS and WINDOW_UPDATE, but enforce no flow control, and neither
do we: a slow reader stops reading the socket.
"""
