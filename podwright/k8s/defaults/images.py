"""Defaults that depend on an image's name."""

from __future__ import annotations


def default_pull_policy(image: str) -> str:
    """Always for the tag `latest` and for neither tag nor digest, else IfNotPresent."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if tag == "latest" or not (tag or digest) else "IfNotPresent"
