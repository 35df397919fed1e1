"""Settings that have no effect with a Docker Engine. They are refused, because nobody would notice otherwise. Pure."""

from __future__ import annotations

from typing import Any

from podwright.errors import InvalidArgument
from podwright.runtime.config import Config

INSTEAD = "the Docker Engine's own daemon.json"
# What the Engine does by itself -> where it is set instead.
REFUSED = {
    "handlers": f"`runtimes` in {INSTEAD}",
    "default_handler": f"`default-runtime` in {INSTEAD}",
    "signatures": 'nothing: it does not check signatures, and images that must be signed need engine = "native"',
    "checkpoint": "nothing: it has no checkpoints",
    "registry.config_path": f"`registry-mirrors` and `insecure-registries` in {INSTEAD}",
    "registry.concurrent_downloads": f"`max-concurrent-downloads` in {INSTEAD}",
    "images.keep_blobs": "nothing: it keeps layers only",
    "containers.cgroup_driver": f"`exec-opts` in {INSTEAD}",
    "containers.apparmor_profile": "nothing: it has one of its own, docker-default",
    "containers.cdi_spec_dirs": 'nothing: CDI devices need engine = "native"',
    "containers.device_ownership_from_security_context": "nothing: devices belong to their owners on the host",
}


def check(config: Config) -> None:
    """Raises InvalidArgument for a setting that differs from its default and that the Engine does not follow."""
    for path, instead in REFUSED.items():
        if _at(config, path) != _at(Config(), path):
            raise InvalidArgument(f'config: {path} has no effect with engine = "docker"', hint=f"set {instead}")


def _at(config: Config, path: str) -> Any:
    found: Any = config
    for part in path.split("."):
        found = getattr(found, part)
    return found
