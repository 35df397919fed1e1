"""Objects of the API that pods refer to, from the documents of a file or from the API server.

`protocol` is the interface for ConfigMaps and Secrets, with implementations in `documents`, `watches` and `none`.
`following` keeps all objects of a kind up to date. `runtime_classes`, `storage`, `projected`, `tokens`,
`trust_bundles` and `accounts` have further objects for other rooms, in the newest of the `versions` that the server
has.
"""
