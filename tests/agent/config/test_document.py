"""Files to raw data, as the kubelet's decoder reads them."""

from __future__ import annotations

import pytest

from podwright.agent.config.document import KEYS_LIMIT, SIZE_LIMIT_BYTES, ConfigDocument, parse_document
from podwright.agent.config.reading import ConfigError


def _parse(text: str) -> ConfigDocument:
    return parse_document(text.encode(), "kubelet.yaml")


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("maxPods: 5\n", {"maxPods": 5}),
        ('{"maxPods": 5}', {"maxPods": 5}),
        ('{\n\t"a": "\\/"\n}', {"a": "/"}),
        ("{a: 1, b: [x]}", {"a": 1, "b": ["x"]}),
        ("a: 2020-01-01\n", {"a": "2020-01-01"}),
        ("a: yes\n", {"a": True}),
        ("true: 1\n5: 2\n", {"true": 1, "5": 2}),
        ("base: &b {x: 1, y: 2}\nown: {<<: *b, y: 3}\n", {"base": {"x": 1, "y": 2}, "own": {"x": 1, "y": 3}}),
        ("\ufeffa: 1\n", {"a": 1}),
    ],
)
def test_yaml_and_json(text: str, content: object) -> None:
    document = _parse(text)
    assert (document.content, document.repeated, document.further) == (content, (), False)


@pytest.mark.parametrize("text", ["a: 1\nb: {c: 1, c: 2}\n", '{"a": 1, "b": {"c": 1, "c": 2}}'])
def test_the_last_of_a_key_given_twice_counts_and_is_noted(text: str) -> None:
    document = _parse(text)
    assert document.content == {"a": 1, "b": {"c": 2}}
    assert document.repeated == ("c",)


def test_the_first_document_counts() -> None:
    document = _parse("a: 1\n---\na: 2\n")
    assert document.content == {"a": 1}
    assert document.further


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"# nothing\n", "not a mapping"),
        (b"- a\n", "not a mapping"),
        (b"a: [\n", "not valid YAML: line 2"),
        (b"a: !!python/object:os.system {}\n", "not valid YAML"),
        (b"[a]: 1\n", "a key is not a scalar"),
        (b"\xff\xfe", "not usable"),
        (b"a: " + b"[" * 60 + b"]" * 60, "nested more than"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not usable"),
        (b"a: " + b"x" * SIZE_LIMIT_BYTES, "longer than"),
        (
            b"a: &a {" + b", ".join(b"k%d: 1" % number for number in range(KEYS_LIMIT)) + b"}\nb: {<<: *a, x: 1}\n",
            "too many keys",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_cannot_be_read(data: bytes, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"kubelet.yaml: .*{problem}"):
        parse_document(data, "kubelet.yaml")
