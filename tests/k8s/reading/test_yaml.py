"""YAML as Kubernetes' own reader sees it: go-yaml v2's scalars, merges and anchors."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from podwright.k8s.problems import ManifestError
from podwright.k8s.reading.documents import MANIFEST_LIMIT_BYTES, read_documents
from podwright.k8s.reading.tree import plain


def read(text: str | bytes) -> Any:
    """The content of the only document."""
    (document,) = read_documents(text)
    return plain(document.root)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("22:22", "22:22"),
        ("10:30:00", "10:30:00"),
        ("=", "="),
        ("0o440", 288),
        ("0440", 288),
        ("0x1F", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("-0x10", -16),
        ("09", 9),
        ("08.5", 8.5),
        ("1e3", 1000),
        ("8.0", 8),
        (".5", 0.5),
        ("5.", 5),
        ("+1", 1),
        ("1e", "1e"),
        ("1.2.3", "1.2.3"),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", 2**64),
        ("y", True),
        ("Y", True),
        ("n", False),
        ("yes", True),
        ("Off", False),
        ("yEs", "yEs"),
        ("true", True),
        ("TRUE", True),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("", None),
        ("nULL", "nULL"),
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
        ("'yes'", "yes"),
        ('"0x1F"', "0x1F"),
        ("!!str 1", "1"),
        ("!!int '1'", 1),
        ("! 1", "1"),
        ("!!float 1", 1.0),
        ("|\n  yes\n", "yes\n"),
        ('"\\u00fc"', "ü"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    found = read(f"a: {text}")
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".nan", "1e999", "!!int a", "!!bool 1", "!!map a", "!python/x 1"])
def test_what_has_no_value(text: str) -> None:
    with pytest.raises(ManifestError, match="line 1: not usable YAML"):
        read(f"a: {text}")


def test_keys_are_strings_as_in_json() -> None:
    assert read("{1: a, yes: b, 1.5: c, 0x10: d}") == {"1": "a", "true": "b", "1.5": "c", "16": "d"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x: &b {p: 1, q: 2}\nl:\n- <<: *b\n  q: 3\n", [{"p": 1, "q": 3}]),
        ("x: &b {p: 1, q: 2}\nl:\n- q: 3\n  <<: *b\n", [{"p": 1, "q": 3}]),
        ("x: &b {p: 1}\ny: &c {p: 2, q: 2}\nl:\n- <<: [*b, *c]\n", [{"p": 1, "q": 2}]),
        ("x: &b {p: 1}\nl: [*b, *b]\n", [{"p": 1}, {"p": 1}]),
        ("x: &b 1\ny: &b 2\nl: [*b]\n", [2]),
        ("l:\n- '<<': 1\n", [{"<<": 1}]),
    ],
)
def test_merges_and_anchors(text: str, value: object) -> None:
    assert read(text)["l"] == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: not usable YAML: key 'a' is given twice, first in line 1"),
        ("a: &x [*x]", r"\*x names no anchor that is complete"),
        ("a: *x", r"\*x names no anchor that is complete"),
        ("a: 1\n---\nb: *x", "names no anchor"),
        ("? [a]\n: 1", "a key is not a scalar"),
        ("~: 1", "a key is null"),
        ("<<: 1", "<< needs a mapping"),
        ("a: [", "line 2: not valid YAML"),
        ("a: b: c", "line 1: not valid YAML: column 5: mapping values are not allowed"),
        ("- 1", "document 1: is not a mapping"),
        ("a: {" * 200, "nested more than 100 deep|maximum nesting"),
        ("[" * 100_000, "nested more than 100 deep|maximum nesting"),
        (b"\xff\xfe\x00", "is not UTF-8: byte 0"),
        ("a: '" + "x" * MANIFEST_LIMIT_BYTES + "'", "longer than 10485760 bytes"),
        ('{"a": 1, "a": 2}', "key 'a' is given twice"),
        ('{"a":' * 200 + "1" + "}" * 200, "nested more than 100 deep"),
        ('{"a":' * 100_000, "nested more than 100 deep|maximum nesting"),
    ],
)
def test_what_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_documents(text)


def test_merges_of_merges_have_an_end() -> None:
    lines = ["a0: &a0 {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}"]
    lines += [f"a{n}: &a{n} {{<<: *a0, x: 1}}" for n in range(1, 200)]
    with pytest.raises(ManifestError, match="copy more than 100000 keys"):
        read_documents("\n".join(lines))


def test_aliases_of_aliases_have_an_end() -> None:
    bomb = ["a0: &a0 [1, 1]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    wide = ["x: &x {name: a}", f"l: [{'*x, ' * 150_000}]"]
    merged = ["x: &x {l: &l [" + "1, " * 1000 + "]}", *(f"m{n}: {{<<: *x}}" for n in range(250))]
    for lines in (bomb, wide, merged):
        with pytest.raises(ManifestError, match="it holds more than 200000 values"):
            read_documents("\n".join(lines))
    assert len(read("\n".join(["x: &x [1, 1]", f"l: [{'*x, ' * 50_000}]"]))["l"]) == 50_000


def test_json_is_read_as_json() -> None:
    assert read('{"a": "\\ud83d\\ude00", "b": 1e3, "c": [1, null, "yes"]}') == {
        "a": "\N{GRINNING FACE}",
        "b": 1000,
        "c": [1, None, "yes"],
    }
    assert [plain(document.root) for document in read_documents('{"a": 1}\n{"b": 2}')] == [{"a": 1}, {"b": 2}]
    assert read("{a: yes}") == {"a": True}


def test_several_documents() -> None:
    documents = read_documents("# comment\n---\nkind: Pod\nmetadata: {name: a}\n---\n---\nkind: Secret\n...\n")
    assert [document.label() for document in documents] == ["document 1 (Pod a)", "document 3 (Secret)"]
    assert read_documents("") == []
    assert read_documents(b"\xef\xbb\xbfa: 1")[0].root.line == 1


def test_a_list_is_its_items() -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- {kind: Pod, metadata: {name: a}}\n- {kind: ConfigMap}\n"
    assert [document.kind for document in read_documents(text)] == ["Pod", "ConfigMap"]
    with pytest.raises(ManifestError, match="items: is not a list"):
        read_documents("{kind: List, items: 1}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_what_json_writes_is_read(document: dict[str, Any]) -> None:
    assert read(json.dumps(document)) == document


@given(st.dictionaries(st.text(alphabet="abc", min_size=1, max_size=4), JSON, min_size=1, max_size=4))
def test_what_a_yaml_writer_quotes_is_read(document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document, default_style='"', allow_unicode=False)
    with contextlib.suppress(ManifestError):  # libyaml refuses escaped surrogates and NUL
        strings = json.loads(json.dumps(document), parse_int=str)
        assert json.loads(json.dumps(read(text)), parse_int=str) == strings


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    with contextlib.suppress(ManifestError):
        read_documents(text)
