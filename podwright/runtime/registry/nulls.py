"""JSON as Go's library reads and writes it, where `null` stands for an absent value.

Almost all images are written by Go programs, for which a nil map and an absent field are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional, TypeVar

import msgspec

Kind = TypeVar("Kind")
Document = TypeVar("Document")

if TYPE_CHECKING:
    Nullable = Annotated[Kind, "never None after decoding"]
else:
    Nullable = Optional[Kind]  # noqa: UP045 # `Kind | None` cannot be given a type in brackets


class NullsAsDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """A struct whose Nullable fields take their default where JSON has null.

    Null in a map of texts becomes an empty text. Null in a list is dropped.
    """

    def __post_init__(self) -> None:
        defaults = self.__struct_defaults__
        for name, default in zip(self.__struct_fields__[-len(defaults) :], defaults, strict=True):
            value = getattr(self, name)
            if value is None and default is not None:
                msgspec.structs.force_setattr(self, name, default)
            elif isinstance(value, tuple) and None in value:
                msgspec.structs.force_setattr(self, name, tuple(item for item in value if item is not None))
            elif isinstance(value, dict) and None in value.values():
                filled = {key: "" if item is None else item for key, item in value.items()}
                msgspec.structs.force_setattr(self, name, filled)


class NotJson(ValueError):
    """The bytes are not JSON, or do not have the expected shape."""


def decode(data: bytes, kind: type[Document]) -> Document:
    """Raises NotJson."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as failure:
        raise NotJson(str(failure)) from failure
    except RecursionError as failure:
        raise NotJson("it is nested too deeply") from failure
