"""The generator of the API's types."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from podwright.k8s import objects
from tools.k8s_objects import __main__ as program
from tools.k8s_objects.models import Field, Type, read_types
from tools.k8s_objects.render import render_all


def test_the_tree_is_what_the_models_give(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = program.generate()
    assert program.drift(files) == []
    monkeypatch.setattr(program, "FOLDER", tmp_path)
    copies = {tmp_path / file.name: text for file, text in files.items()}
    for file, text in copies.items():
        file.write_text(text)
    (tmp_path / "base.py").write_text("by hand")
    assert program.drift(copies) == []
    (tmp_path / "pod.py").write_text("changed")
    (tmp_path / "meta.py").unlink()
    (tmp_path / "extra.py").write_text("")
    assert [file.name for file in program.drift(copies)] == ["extra.py", "meta.py", "pod.py"]


def test_a_type_without_a_module_is_named() -> None:
    types = read_types()
    field = Field(attribute="a", wire="a", type="str", required=True)
    with pytest.raises(LookupError, match="Novelty"):
        render_all({**types, "Novelty": Type(name="Novelty", description="New.", fields=(field,))})


def test_keywords_and_abbreviations_have_names_of_their_own() -> None:
    modules = render_all(read_types())
    assert "continue_: str" in modules["meta.py"]
    assert 'host_ip: str = field(default="", name="hostIP")' in modules["container.py"]
    assert "run_as_user: int | None = None" in modules["security.py"]
    assert "host_network: bool = False" in modules["pod.py"]


def test_every_field_has_the_wire_name_of_the_models() -> None:
    for name, item in read_types().items():
        fields = msgspec.structs.fields(getattr(objects, name))
        assert {spec.encode_name for spec in fields} == {field.wire for field in item.fields}
