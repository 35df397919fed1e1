"""What the API server rejects when an object is created, with its messages. Pure. Objects need their defaults first.

Source: pkg/apis/core/validation of Kubernetes 1.36, for Linux. The entry points are `pods.validate_pod`,
`config.validate_config_map` and `config.validate_secret`. There is one module for each part of a pod. Not checked:
what only an update can break, Windows' options, and the fields of volume types that need a driver.
"""
