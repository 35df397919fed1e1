"""Objects of the API that pods refer to, from the documents of a file or from the API server.

`protocol` is how the agent reads ConfigMaps and Secrets: from `documents`, from `watches`, or from `none`. `following`
keeps all objects of a kind up to date. `runtime_classes`, `storage`, `projected`, `tokens`, `trust_bundles` and
`accounts` serve other rooms with further objects, of the newest of the `versions` that the server has.
"""
