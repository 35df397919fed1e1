"""Containers: their OCI specs (`spec`), their places on the host, their lives from create to remove."""
