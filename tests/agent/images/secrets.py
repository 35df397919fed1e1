"""Pull secrets in few words."""

from __future__ import annotations

import json

from podwright.k8s.objects import ObjectMeta, Secret


def pull_secret(name: str = "pull", *, uid: str = "", password: str = "p", **servers: str) -> Secret:
    """A dockerconfigjson Secret; `servers` are (key: server), each with the key as its user."""
    entries = {server: {"username": user, "password": password} for user, server in servers.items()}
    return Secret(
        metadata=ObjectMeta(name=name, namespace="default", uid=uid or f"uid-{name}"),
        type="kubernetes.io/dockerconfigjson",
        data={".dockerconfigjson": json.dumps({"auths": entries}).encode()},
    )
