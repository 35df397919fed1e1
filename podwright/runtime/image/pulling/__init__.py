"""A pull, from a name to layers on disk. It records nothing: the image service does.

`pull` has its steps: `policy` and `signatures` (`simple_signing`) say whether it is allowed, `documents` chooses this
machine's manifest, `fetch` brings each layer, and `describe` makes the image of them. `progress` counts for watchers.
"""
