"""The images of pods: pull policies and back-offs, credentials, and records of which pods may use a present image.

`manager` ensures an image (the result is in `ensured`). `pulling` is one pull, within the `limits` of the node.
`credentials` finds logins in Secrets, in files, and by programs (`providers`, `provider_config`), which may use
service `accounts`. `records` decides which pods may use a present image, and keeps that in the kubelet's files
(`record_files`). `references` parses image names.
"""
