"""Texts with more values than any object has are refused while they are taken apart, not after minutes of that."""

from __future__ import annotations

import pytest

from podwright.k8s.problems import ManifestError
from podwright.k8s.reading.documents import read_documents
from podwright.k8s.reading.yaml import TEXT_LIMIT, VALUES_LIMIT, parse_yaml


def endless(first: str, more: str) -> str:
    """Ten times as much as is read."""
    return first + more * (10 * VALUES_LIMIT)


def test_a_list_is_not_read_to_its_end() -> None:
    text = endless("a: [", "b,") + "]: this is never reached, though it is no YAML"
    with pytest.raises(ManifestError, match=f"it holds more than {VALUES_LIMIT} values"):
        list(parse_yaml(text))


def test_a_large_json_list() -> None:
    text = '{"a": [' + "1," * VALUES_LIMIT + "1]}"
    with pytest.raises(ManifestError, match=f"it holds more than {VALUES_LIMIT} values"):
        read_documents(text)


def test_documents_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podwright.k8s.reading.yaml.TEXT_LIMIT", 100)
    assert len(list(parse_yaml("--- {a: 1}\n" * 33))) == 33
    with pytest.raises(ManifestError, match="its documents hold more than 100 values together"):
        list(parse_yaml("--- {a: 1}\n" * 34))
    assert TEXT_LIMIT >= VALUES_LIMIT
