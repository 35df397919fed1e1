"""Edits of a finished OCI spec before a container is created: by devices, handlers and plug-ins.

Edits run one after the other on the event loop: CDI first, the handler last, so that the handler sees the final spec.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from podwright.runtime.cdi import Cdi
from podwright.runtime.cdi import names as cdi_names
from podwright.runtime.model.container import Container

Spec = dict[str, Any]


class SpecEdit(Protocol):
    """One edit. An edit runs blocking work in a thread of its own."""

    async def __call__(self, spec: Spec, container: Container, /) -> None:
        """Change `spec` in place. If it raises PodwrightError, the container is not created."""


class CdiEdit:
    """Adds the devices that the request names by CDI."""

    def __init__(self, cdi: Cdi) -> None:
        self._cdi = cdi

    async def __call__(self, spec: Spec, container: Container, /) -> None:
        """Raises InvalidArgument and FailedPrecondition that name the device."""
        names = cdi_names.requested(container.config.cdi_devices, container.config.annotations)
        if names:
            edited = await asyncio.to_thread(self._cdi.inject, spec, names)
            if edited is not spec:
                spec.clear()
                spec.update(edited)
