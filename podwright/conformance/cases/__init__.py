"""The cases, by topic. A case that a known runtime is known to fail carries `deviates`, with the reason."""
