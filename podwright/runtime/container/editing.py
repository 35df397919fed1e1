"""Edits of a finished OCI spec, before a container is created: what devices, handlers and plug-ins want there.

They are made one after the other, on the event loop: CDI first, the handler last, so that it sees what will run.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from podwright.runtime.cdi import Cdi
from podwright.runtime.cdi import names as cdi_names
from podwright.runtime.model.container import Container

Spec = dict[str, Any]


class SpecEdit(Protocol):
    """One edit. What blocks is its own to put in a thread."""

    async def __call__(self, spec: Spec, container: Container, /) -> None:
        """Change `spec` in place. Raises PodwrightError: the container is not made then."""


class CdiEdit:
    """The devices that the request names by CDI."""

    def __init__(self, cdi: Cdi) -> None:
        self._cdi = cdi

    async def __call__(self, spec: Spec, container: Container, /) -> None:
        """Raises InvalidArgument and FailedPrecondition, which name the device."""
        names = cdi_names.requested(container.config.cdi_devices, container.config.annotations)
        if names:
            edited = await asyncio.to_thread(self._cdi.inject, spec, names)
            if edited is not spec:
                spec.clear()
                spec.update(edited)
