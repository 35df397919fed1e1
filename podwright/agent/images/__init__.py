"""Images that pods run: pull policies and back-offs, credentials, and the records of who may use what is there.

`manager` ensures an image (the result is in `ensured`), `pulling` is one pull, within the `limits` of the node.
`credentials` finds logins: in Secrets, in files, and from programs (`providers`, with `provider_config`), which may
work with service `accounts`. `records` says who may use an image, in the kubelet's `record_files`. `references` reads
names.
"""
