"""A limit for the nesting of YAML text, to be checked before untrusted text is loaded.

libyaml's loader recurses in C, and 100,000 brackets crash the process. Reading its events does not recurse.
"""

from __future__ import annotations


def check_nesting(text: str | bytes, limit: int, *, aliases: bool = True) -> None:
    """Raises ValueError for text that nests deeper than `limit`, and for aliases where they are not allowed.

    Raises yaml.YAMLError for invalid YAML.
    """
    import yaml  # noqa: PLC0415 # 20 ms, and most daemons never read any

    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > limit:
            raise ValueError(f"it is nested more than {limit} deep")
        if not aliases and isinstance(event, yaml.AliasEvent):
            raise ValueError("it has aliases")
