"""The cases, one module for each topic.

A case that a known runtime is known to fail carries `deviates`, with the reason.
"""
