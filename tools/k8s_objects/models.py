"""Reads the package's models: every type that the kinds hold, with its fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from kubernetes.client import models

from tools.k8s_objects.layout import ADDED, KINDS, LISTED
from tools.k8s_objects.resources import Resource, read_resources

# V1Pod, CoreV1Event, V1alpha3TopologyConstraint: the API's own name is what follows.
_PREFIX = re.compile(r"(?:Core|Authentication)?V\d+(?:(?:alpha|beta)\d+)?(?=[A-Z])")
_WORD = re.compile(r"\w+")
# A model of the package: its class, whose parts are not typed.
Model = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field: the attribute and wire names, the package's type text, whether the API always has it."""

    attribute: str
    wire: str
    type: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """A type of the API; `resource` is set for kinds that the API server keeps or takes at a path of their own."""

    name: str
    description: str
    fields: tuple[Field, ...]
    resource: Resource | None = None

    def uses(self) -> set[str]:
        """Names of the types that its fields hold."""
        return {word for field in self.fields for word in _WORD.findall(field.type) if word[0].isupper()} - {
            "List",
            "Dict",
        }


def read_types() -> dict[str, Type]:
    """All types by name, those of KINDS and LISTED and what they hold."""
    found: dict[str, Type] = {}
    resources = {model: place for (version, model), place in read_resources().items() if version in KINDS}
    waiting = [_find(kind) for kinds in KINDS.values() for kind in kinds.split()]
    waiting += [_find(f"{kind}List") for kind in LISTED.split()]
    while waiting:
        model = waiting.pop()
        name = _plain(model.__name__)
        if name not in found:
            found[name] = _read(name, model, resources.get(model.__name__))
            waiting += [getattr(models, word) for text in model.openapi_types.values() for word in _models_in(text)]
    return found


def _find(kind: str) -> Model:
    """The stable model of a kind; core/v1 wins over groups with a kind of that name."""
    names = [f"V1{kind}", f"CoreV1{kind}", f"AuthenticationV1{kind}"]
    return next(getattr(models, name) for name in names if hasattr(models, name))


def _plain(name: str) -> str:
    return _PREFIX.sub("", name)


def _models_in(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if hasattr(models, word)]


def _read(name: str, model: Model, resource: Resource | None) -> Type:
    info = {spec.serialization_alias or attribute: spec for attribute, spec in model.model_fields.items()}
    fields = [
        Field(
            attribute=_attribute(attribute),
            wire=model.attribute_map[attribute],
            type=_type(text, str(info[model.attribute_map[attribute]].annotation)),
            required=info[model.attribute_map[attribute]].is_required(),
        )
        for attribute, text in model.openapi_types.items()
    ]
    for key, (attribute, text, _) in ADDED.items():
        owner, _, wire = key.partition(".")
        if owner == name:
            fields.append(Field(attribute=attribute, wire=wire, type=text, required=False))
    return Type(name=name, description=(model.__doc__ or "").strip(), fields=tuple(fields), resource=resource)


def _attribute(name: str) -> str:
    """`_exec` is `exec`; `_continue` and `_from`, being keywords of Python, get the underscore behind."""
    plain = name.removeprefix("_")
    return f"{plain}_" if plain in ("continue", "from") else plain


def _type(text: str, annotation: str) -> str:
    if text == "object" and re.search(r"\bint\b|StrictInt", annotation):
        return "IntOrString"
    return re.sub(r"\w+", lambda match: _plain(match[0]), text)
