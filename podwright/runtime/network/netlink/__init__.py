"""The parts of rtnetlink(7) and ctnetlink that pod networking needs: pure message codecs, and one small socket.

Messages: `codec`, `requests`, `replies`, `notices`, `shaping`, `conntrack`. The socket: `connection`, and `changes`
with its `link_filter`. A general netlink library costs some 150 ms and 20 MiB at import, and we need only a dozen
short messages. Used by the built-in bridge alone. Nothing here makes decisions.
"""
