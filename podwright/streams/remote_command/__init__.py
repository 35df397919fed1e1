"""Kubernetes' protocol on the streams of exec and attach: versions, exit status, terminal sizes."""
