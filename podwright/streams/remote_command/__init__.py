"""Kubernetes' protocol on the streams of exec and attach.

`protocol` has its versions, `status` the outcome of a command, `resize` terminal sizes.
"""
