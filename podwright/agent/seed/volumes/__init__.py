"""Volumes: planned as data (`plan`), then made, mounted into containers and taken down (`prepare`, `subpath`)."""
