"""Objects of any kind. Written by hand: the published models have no type for it."""

from __future__ import annotations

from typing import Any, ClassVar

from podwright.k8s.objects.base import ApiList
from podwright.k8s.objects.meta import ListMeta


class List(ApiList, frozen=True, kw_only=True):
    """Several objects of any kinds, as documents."""

    API_VERSION: ClassVar[str] = "v1"
    items: tuple[dict[str, Any], ...] = ()
    metadata: ListMeta = ListMeta()
