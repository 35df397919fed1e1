"""What the API server refuses when an object is made, in its own words. Pure; objects must have their defaults.

Source: pkg/apis/core/validation of Kubernetes 1.36, for Linux. `pods.validate_pod`, `config.validate_config_map` and
`config.validate_secret` are the ways in. Not checked: what only an update can break, Windows' options, and the
fields of volume types that need a driver.
"""
