"""The Kubernetes API as a node needs it. Does no I/O, except for `client`.

`objects` are the types, `shapes` shows their fields to code. `codec` reads and writes the server's JSON (`mending`
what only Go reads, `strategic` with `merge_keys` a patch), `reading` what people write, `protobuf` a Pod in the API's
other encoding. `defaults` and `validation` do what the API server does, with `names` and `problems`. `quantity`,
`times`, `selectors`, `node_selectors` and `pod_resources` are values and their rules.
"""
