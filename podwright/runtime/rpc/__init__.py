"""The gRPC edge: between protobuf and the model, it decides nothing.

`server` listens, `table` names the method of each RPC, `edge` is around every call, and `convert_*` converts messages.
One module for each RPC family: `sandboxes`, `containers`, `streaming`, `resources`, `stats`, `events`, `images`,
`runtime`, `checkpoints`, and of our own `image_store`, `pulls`, `timeline`. `lists` encodes long replies.
"""
