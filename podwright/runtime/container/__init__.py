"""Containers: their specs, their files on the host, and their life cycle from creation to removal."""
