"""The shapes of names and paths that the API accepts.

Each `*_faults` gives the API's own messages (apimachinery's util/validation), none for a name that is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LABEL_LIMIT = 63
SUBDOMAIN_LIMIT = 253
PORT_NAME_LIMIT = 15
PORT_MAX = 65535

_DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_DNS_LABEL}(\.{_DNS_LABEL})*"
_UNDERSCORE_LABEL = "[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?"
_QUALIFIED_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED_NAME})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HEADER_NAME = "[-A-Za-z0-9]+"

_ENDS = "and must start and end with an alphanumeric character"
_LOWER = "must consist of lower case alphanumeric characters"
_LABEL_MESSAGE = f"a lowercase RFC 1123 label {_LOWER} or '-', {_ENDS}"
_SUBDOMAIN_MESSAGE = f"a lowercase RFC 1123 subdomain {_LOWER}, '-' or '.', {_ENDS}"
_UNDERSCORE_MESSAGE = f"a lowercase RFC 1123 subdomain {_LOWER}, '_', '-' or '.', {_ENDS}"
_QUALIFIED_MESSAGE = f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
_VALUE_MESSAGE = (
    f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
)
_KEY_MESSAGE = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
_HEADER_MESSAGE = "a valid HTTP header must consist of alphanumeric characters or '-'"
_ENV_MESSAGE = "a valid environment variable name must consist only of printable ASCII characters other than '='"


def label_faults(name: str) -> Iterator[str]:
    """A DNS label: containers, volumes, namespaces."""
    if len(name) > LABEL_LIMIT:
        yield too_long(LABEL_LIMIT)
    if not re.fullmatch(_DNS_LABEL, name):
        if re.fullmatch(_SUBDOMAIN, name):
            yield "must not contain dots"
        else:
            yield _shape(_LABEL_MESSAGE, _DNS_LABEL, "my-name", "123-abc")


def subdomain_faults(name: str) -> Iterator[str]:
    """DNS labels joined by dots: pods, ConfigMaps, Secrets."""
    if len(name) > SUBDOMAIN_LIMIT:
        yield too_long(SUBDOMAIN_LIMIT)
    if not re.fullmatch(_SUBDOMAIN, name):
        yield _shape(_SUBDOMAIN_MESSAGE, _SUBDOMAIN, "example.com")


def search_domain_faults(name: str) -> Iterator[str]:
    """An entry of dnsConfig.searches, where underscores are allowed."""
    if len(name) > SUBDOMAIN_LIMIT:
        yield too_long(SUBDOMAIN_LIMIT)
    pattern = rf"{_UNDERSCORE_LABEL}(\.{_UNDERSCORE_LABEL})*"
    if not re.fullmatch(pattern, name):
        yield _shape(_UNDERSCORE_MESSAGE, pattern, "example.com")


def qualified_name_faults(key: str) -> Iterator[str]:
    """`name` or `prefix/name` of a label or annotation."""
    prefix, slash, name = key.rpartition("/")
    if slash:
        if not prefix:
            yield "prefix part must be non-empty"
        elif "/" in prefix:
            example = "a qualified name must be 'prefix/name', where the prefix is a DNS subdomain"
            yield f"{example} (e.g. 'example.com/MyName')"
            return
        else:
            yield from (f"prefix part {fault}" for fault in subdomain_faults(prefix))
    if not name:
        yield "name part must be non-empty"
    elif len(name) > LABEL_LIMIT:
        yield f"name part {too_long(LABEL_LIMIT)}"
    if not re.fullmatch(_QUALIFIED_NAME, name):
        yield f"name part {_shape(_QUALIFIED_MESSAGE, _QUALIFIED_NAME, 'MyName', 'my.name', '123-abc')}"


def label_value_faults(value: str) -> Iterator[str]:
    """The problems of a label's value. Annotations may contain anything."""
    if len(value) > LABEL_LIMIT:
        yield too_long(LABEL_LIMIT)
    if not re.fullmatch(_LABEL_VALUE, value):
        yield _shape(_VALUE_MESSAGE, _LABEL_VALUE, "MyValue", "my_value", "12345")


def port_name_faults(name: str) -> Iterator[str]:
    """A port's name (IANA service name)."""
    if len(name) > PORT_NAME_LIMIT:
        yield too_long(PORT_NAME_LIMIT)
    if not re.fullmatch("[-a-z0-9]+", name):
        yield "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not re.search("[a-z]", name):
        yield "must contain at least one letter (a-z)"
    if "--" in name:
        yield "must not contain consecutive hyphens"
    if name.startswith("-") or name.endswith("-"):
        yield "must not begin or end with a hyphen"


def port_faults(port: int) -> Iterator[str]:
    """A port's number."""
    if not 1 <= port <= PORT_MAX:
        yield f"must be between 1 and {PORT_MAX}, inclusive"


def env_name_faults(name: str) -> Iterator[str]:
    """A variable's name: printable ASCII without '=' (the relaxed rule, which is the API's since 1.34)."""
    if not name:
        yield "must be non-empty"
    if any(not " " <= character <= "~" or character == "=" for character in name):
        yield _ENV_MESSAGE


def config_key_faults(key: str) -> Iterator[str]:
    """A key of a ConfigMap or Secret: it becomes a file name."""
    if len(key) > SUBDOMAIN_LIMIT:
        yield too_long(SUBDOMAIN_LIMIT)
    if not re.fullmatch(_CONFIG_KEY, key):
        yield _shape(_KEY_MESSAGE, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name")
    if key in (".", ".."):
        yield f"must not be '{key}'"
    elif key.startswith(".."):
        yield "must not start with '..'"


def header_name_faults(name: str) -> Iterator[str]:
    """A header of an HTTP probe or hook."""
    if not re.fullmatch(_HEADER_NAME, name):
        yield _shape(_HEADER_MESSAGE, _HEADER_NAME, "X-Header-Name")


def descending_path_faults(path: str) -> Iterator[str]:
    """A path that stays below where it starts."""
    if path.startswith("/"):
        yield "must be a relative path"
    if "\0" in path:
        yield "must not contain NUL"
    yield from backstep_faults(path)


def backstep_faults(path: str) -> Iterator[str]:
    """A path without `..`."""
    if ".." in path.split("/"):
        yield "must not contain '..'"


def file_path_faults(path: str) -> Iterator[str]:
    """A file of a volume that the agent writes: `..data` and the like are its own."""
    yield from descending_path_faults(path)
    if path.startswith("..") and ".." not in path.split("/"):
        yield "must not start with '..'"


def too_long(limit: int) -> str:
    """The API's message for it."""
    return f"must be no more than {limit} characters"


def _shape(message: str, pattern: str, *examples: str) -> str:
    """The message, examples and pattern as apimachinery's RegexError joins them."""
    text = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {text}regex used for validation is '{pattern}')"
