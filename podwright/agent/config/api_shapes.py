"""Quantities and label names of the API: the one place where this package takes them from."""

from podwright.agent.manifest.names import is_label_key, is_label_value
from podwright.agent.manifest.quantity import parse_nano, whole

__all__ = ("is_label_key", "is_label_value", "parse_nano", "whole")
