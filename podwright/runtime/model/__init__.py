"""The runtime's nouns: CRI's messages as frozen values, and the records that we store.

`rpc` converts protobuf to these at the edge and back. No room below the edge sees a protobuf message.
"""
