"""A real docker-registry that wants a user and a password."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.images import Image
from tools.registry import Registry

USER, PASSWORD = "me", "very-secret"
HTPASSWD = "me:$2y$05$abcdefghijklmnopqrstuuJlu1J7SD3rRuYlURnyVnj8wXy7Tqiui\n"  # bcrypt of the password
PAIR = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@contextmanager
def guarded_registry(root: Path, image: Image) -> Iterator[Registry]:
    """Run a registry with a password that holds the image as app:1. Its files are below `root`."""
    with Registry(root) as open_to_all:
        open_to_all.push("app:1", image)
    (root / "htpasswd").write_text(HTPASSWD)
    auth = f"auth:\n  htpasswd:\n    realm: test\n    path: {root / 'htpasswd'}\n"
    with Registry(root, more_config=auth) as registry:
        yield registry
