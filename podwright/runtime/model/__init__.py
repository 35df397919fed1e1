"""The runtime's nouns: what CRI's messages mean to us, and the records that we keep. Frozen, without behaviour.

`rpc` turns protobuf into these at the edge and back; no room below the edge sees a protobuf message.
"""
