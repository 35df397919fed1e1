"""Images on disk: the content store, the unpacked layers, and the unpacking of tars.

`blobs` is the content store with its `layout`. `layers` has the unpacked layers: `unpacking` runs the program
`unpack`, `comparing` the program `compare`, and `implicit` sets attributes that a layer does not name. `artifacts` are
trees of blobs, `completion` finishes work of cancelled callers. This room knows digests and files, but no registries,
names or CRI. `image` connects it with `registry`.
"""
