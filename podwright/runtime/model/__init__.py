"""The runtime's nouns: CRI's messages as frozen values, and the records that we store.

`sandbox`, `container`, `image`, `image_store`, `streaming` and `usage`, with `ids` and `base` for all of them. `rpc`
converts protobuf to these at the edge and back. No room below the edge sees a protobuf message.
"""
