"""containerd's names of runtimes, and what is known of some: which options they take, what each pod has of them.

Pure. A runtime that is not known gets what most shims want.
"""

from __future__ import annotations

import os

import msgspec

from podwright.errors import InvalidArgument
from podwright.runtime.config import ShimHandlerSettings, ShimOptions

RUNC_KEYS = frozenset(
    {"binary_name", "root", "shim_cgroup", "no_pivot_root", "no_new_keyring", "criu_image_path", "criu_work_path"}
)
OTHER_KEYS = frozenset({"type_url", "config_path", "config_body"})


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """One handler's runtime. `is_runc`: it runs an OCI runtime on this host, and takes runc's options."""

    name: str
    program: str  # a path, or a name to be looked up
    is_runc: bool
    sandbox: str  # "none", "container" or "api"


def runtime(name: str, settings: ShimHandlerSettings) -> Runtime:
    """What a handler's configuration means. Raises InvalidArgument, which names the key."""
    program = settings.path or binary_name(name, settings.runtime_type)
    is_runc = os.path.basename(program).startswith("containerd-shim-runc-")
    _check_options(name, settings.options, is_runc=is_runc)
    return Runtime(
        name=name,
        program=program,
        is_runc=is_runc,
        sandbox=settings.sandbox if settings.sandbox != "auto" else "none" if is_runc else "container",
    )


def binary_name(handler: str, runtime_type: str) -> str:
    """The program of io.containerd.NAME.VERSION, as containerd finds it. A path is its own. Raises InvalidArgument."""
    if runtime_type.startswith("/"):
        return runtime_type
    parts = runtime_type.split(".")
    if len(parts) < 2 or not all(parts) or "/" in runtime_type:
        raise InvalidArgument(
            f"handlers.{handler}.runtime_type {runtime_type!r} is neither a path nor a name with a version",
            hint="write it as in io.containerd.runc.v2",
        )
    return f"containerd-shim-{parts[-2]}-{parts[-1]}"


def _check_options(handler: str, options: ShimOptions, *, is_runc: bool) -> None:
    given = {key for key in RUNC_KEYS | OTHER_KEYS if getattr(options, key)}
    if foreign := given & (OTHER_KEYS if is_runc else RUNC_KEYS):
        takes = RUNC_KEYS if is_runc else OTHER_KEYS
        raise InvalidArgument(
            f"handlers.{handler}.options: this shim takes no {', '.join(sorted(foreign))}",
            hint=f"it takes {', '.join(sorted(takes))}",
        )
