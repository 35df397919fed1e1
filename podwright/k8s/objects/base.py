"""What all types of the API share. Written by hand; the other modules of this folder are generated.

A field's default is its zero value where Go's type is a value, and None where it is a pointer: `""` and an absent
string are the same to the API, `runAsUser: 0` and an absent one are not. Fields that hold their default are not
encoded, which is what Go's `omitempty` does. Fields without a default are those that the API always writes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, TypeAlias

import msgspec

# A number with a suffix, kept as its text; `podwright.k8s.quantity` reads it.
Quantity = Annotated[str, msgspec.Meta(extra={"format": "quantity"})]
# A number, or a name or percentage.
IntOrString: TypeAlias = int | str


class MicroTime(datetime):
    """A time that is encoded with six digits of a second, as the API server wants leases' and events' times."""


class ApiObject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", gc=False):
    """An object of the API, or a part of one."""


class Kind(ApiObject, frozen=True, kw_only=True):
    """An object that stands by itself. `codec.encode` fills in an empty `kind` and `apiVersion`.

    RESOURCE is the last part of its path at an API server, empty for kinds that have no path of their own.
    """

    API_VERSION: ClassVar[str] = ""
    RESOURCE: ClassVar[str] = ""
    NAMESPACED: ClassVar[bool] = False

    api_version: str = ""
    kind: str = ""


class ApiList(Kind, frozen=True, kw_only=True):
    """A list of objects of one kind."""
