"""Names against apimachinery's rules; the messages are its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from podwright.k8s import names

Rule = Callable[[str], Iterator[str]]


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (names.label_faults, ["a", "a-1", "1", "a" * 63], ["", "A", "-a", "a-", "a.b", "a_b", "a" * 64, "a\n", "ä"]),
        (names.subdomain_faults, ["a", "a.b", "1.2", "a" * 253], ["", "a..b", ".a", "a.", "A.b", "a" * 254, "a\n"]),
        (names.search_domain_faults, ["_a.b", "a.b"], ["", "A", "a b"]),
        (
            names.qualified_name_faults,
            ["a", "A.b_c-d", "example.com/Name", "a" * 63],
            ["", "/a", "a/", "a/b/c", "-a", "Exa.com/a", "a" * 64, "a b"],
        ),
        (names.label_value_faults, ["", "a", "A_b.c-1", "a" * 63], ["-", "a b", "a/b", "a" * 64, "a\n"]),
        (names.port_name_faults, ["http", "a", "1a", "a-1"], ["", "1", "Http", "a--b", "-a", "a-", "a" * 16, "a_b"]),
        (names.env_name_faults, ["A", "a b", "1", "a.b-c"], ["", "a=b", "ä", "a\n"]),
        (names.config_key_faults, ["a", "A_b.c-1", ".a", "a" * 253], ["", ".", "..", "..a", "a/b", "a" * 254, "a b"]),
        (names.header_name_faults, ["X-Header", "a1"], ["", "a b", "a_b", "a:"]),
        (names.descending_path_faults, ["a", "a/b", "a/..b", "..a"], ["/a", "..", "a/../b", "a\0b"]),
        (names.file_path_faults, ["a", "a/..b"], ["/a", "..", "..a", "..data"]),
    ],
)
def test_shapes(rule: Rule, right: list[str], wrong: list[str]) -> None:
    assert {name: list(rule(name)) for name in right} == {name: [] for name in right}
    assert [name for name in wrong if not list(rule(name))] == []


def test_the_messages_are_the_api_s() -> None:
    (message,) = names.label_faults("A")
    assert message == (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    )
    assert list(names.label_faults("a.b")) == ["must not contain dots"]
    assert list(names.port_name_faults("-" * 16)) == [
        "must be no more than 15 characters",
        "must contain at least one letter (a-z)",
        "must not contain consecutive hyphens",
        "must not begin or end with a hyphen",
    ]
    assert list(names.port_faults(0)) == ["must be between 1 and 65535, inclusive"]
