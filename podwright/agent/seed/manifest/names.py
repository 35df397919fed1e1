"""The shapes of names and paths that the API accepts (apimachinery's validation, RFC 1123)."""

from __future__ import annotations

import re

LABEL_LIMIT = 63
SUBDOMAIN_LIMIT = 253
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_QUALIFIED_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def is_label(name: str) -> bool:
    """A DNS label: containers, volumes, namespaces."""
    return len(name) <= LABEL_LIMIT and _LABEL.fullmatch(name) is not None


def is_subdomain(name: str) -> bool:
    """DNS labels joined by dots: pods, ConfigMaps, Secrets."""
    return len(name) <= SUBDOMAIN_LIMIT and all(_LABEL.fullmatch(part) for part in name.split("."))


def is_config_key(key: str) -> bool:
    """A key of a ConfigMap or Secret: it becomes a file name."""
    return len(key) <= SUBDOMAIN_LIMIT and _KEY.fullmatch(key) is not None and key != "." and not key.startswith("..")


def is_label_key(key: str) -> bool:
    """`name` or `prefix/name` of a label or annotation."""
    prefix, slash, name = key.rpartition("/")
    return (
        len(name) <= LABEL_LIMIT
        and _QUALIFIED_NAME.fullmatch(name) is not None
        and (not slash or is_subdomain(prefix))
    )


def is_label_value(value: str) -> bool:
    """The value of a label; annotations hold anything."""
    return len(value) <= LABEL_LIMIT and (not value or _QUALIFIED_NAME.fullmatch(value) is not None)


def is_env_name(name: str) -> bool:
    """A variable's name: printable ASCII without '=' (the relaxed rule of today's API)."""
    return bool(name) and all(" " <= character <= "~" and character != "=" for character in name)


def is_inner_path(path: str) -> bool:
    """A relative path that stays inside: no `..`, no leading slash."""
    return bool(path) and not path.startswith("/") and ".." not in path.split("/") and "\0" not in path
