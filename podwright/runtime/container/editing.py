"""Edits of a finished OCI spec before a container is created: by devices, handlers and plug-ins.

Edits run one after the other on the event loop, the handler's last, so that the handler sees the final spec.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from podwright.runtime import classes
from podwright.runtime.cdi import Cdi
from podwright.runtime.cdi import names as cdi_names
from podwright.runtime.classes import ResourceClasses
from podwright.runtime.container.hooks_folder import HooksFolderEdit
from podwright.runtime.model.container import Container
from podwright.runtime.model.sandbox import Sandbox

Spec = dict[str, Any]


class SpecEdit(Protocol):
    """One edit. An edit runs blocking work in a thread of its own."""

    async def __call__(self, spec: Spec, sandbox: Sandbox, container: Container, /) -> None:
        """Change `spec` in place. If it raises PodwrightError, the container is not created."""


def edits(known: ResourceClasses, cdi: Cdi, hooks_folders: tuple[str, ...]) -> tuple[SpecEdit, ...]:
    """Those of the configuration, in their order."""
    hooks = (HooksFolderEdit(hooks_folders),) if hooks_folders else ()
    return (ClassesEdit(known), CdiEdit(cdi), *hooks)


class ClassesEdit:
    """Sets the limits of the classes that annotations name."""

    def __init__(self, known: ResourceClasses) -> None:
        self._known = known

    async def __call__(self, spec: Spec, sandbox: Sandbox, container: Container, /) -> None:
        """Raises InvalidArgument and FailedPrecondition that name the class."""
        config = container.config
        if wanted := classes.requested(config.name, sandbox.config.annotations, config.annotations):
            await asyncio.to_thread(self._known.apply, spec, wanted)


class CdiEdit:
    """Adds the devices that the request names by CDI."""

    def __init__(self, cdi: Cdi) -> None:
        self._cdi = cdi

    async def __call__(self, spec: Spec, _sandbox: Sandbox, container: Container, /) -> None:
        """Raises InvalidArgument and FailedPrecondition that name the device."""
        names = cdi_names.requested(container.config.cdi_devices, container.config.annotations)
        if names:
            edited = await asyncio.to_thread(self._cdi.inject, spec, names)
            if edited is not spec:
                spec.clear()
                spec.update(edited)
