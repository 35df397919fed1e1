"""Podwright: a Kubernetes node in Python. docs/architecture.md has its rooms."""

__version__ = "0.1.0"
