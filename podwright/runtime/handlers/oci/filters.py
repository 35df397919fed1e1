"""Seccomp filters that crun has compiled, so that it compiles a profile once instead of for every container.

Compiling the default profile takes crun longer than everything else about a container. crun stores the result in its
state, and accepts one by annotation instead of the profile (crun(1), run.oci.seccomp_bpf_data). The profile stays in
the spec for versions without the annotation. Only `oci` uses it, for crun. Annotations of requests never reach a
spec.
"""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from typing import Any

import msgspec

ANNOTATION = "run.oci.seccomp_bpf_data"
KEPT = 64  # profiles with all that they were compiled for: a default one has some, by the capabilities of containers
FILTER_LIMIT_BYTES = 512 * 1024  # the kernel takes 4096 instructions of 8 bytes


class _Linux(msgspec.Struct):
    seccomp: msgspec.Raw = msgspec.Raw(b"")


class _Spec(msgspec.Struct):
    linux: _Linux
    annotations: dict[str, str] = {}


class CompiledFilters:
    """Filters by the profiles that they were made of."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, str] = OrderedDict()

    def annotate(self, spec: dict[str, Any]) -> None:
        """Put the filter into a spec whose profile was compiled before."""
        profile = spec.get("linux", {}).get("seccomp")
        if profile is None:
            return
        key = _key(msgspec.json.encode(profile))
        if (known := self._known.get(key)) is not None:
            self._known.move_to_end(key)
            spec["annotations"] = {**spec.get("annotations", {}), ANNOTATION: known}

    def learn(self, spec_file: str, filter_file: str) -> None:
        """Keep the filter that crun compiled from a container's profile, if there is one and it is not kept yet."""
        try:
            with open(filter_file, "rb") as file:
                compiled = file.read(FILTER_LIMIT_BYTES)
            with open(spec_file, "rb") as file:
                spec = msgspec.json.decode(file.read(), type=_Spec)
        except (OSError, msgspec.DecodeError):
            return
        if compiled and ANNOTATION not in spec.annotations and spec.linux.seccomp:
            self._known[_key(bytes(spec.linux.seccomp))] = base64.b64encode(compiled).decode()
            if len(self._known) > KEPT:
                self._known.popitem(last=False)


def _key(profile: bytes) -> bytes:
    return hashlib.sha256(profile).digest()
