"""Contexts for the pure tests."""

from __future__ import annotations

from podwright.agent.seed.manifest.bundle import load_bundle
from podwright.agent.seed.orchestration.context import PodContext
from podwright.agent.seed.orchestration.host import HostFacts

GIB = 2**30
HOST = HostFacts(
    node_name="node-1",
    addresses=("192.0.2.7", "2001:db8::7"),
    cpu_count=4,
    memory_bytes=8 * GIB,
    resolv_conf="nameserver 192.0.2.53\nsearch example.org\noptions ndots:2 edns0\n",
    hosts="127.0.0.1 localhost\n192.0.2.9 printer\n",
)


def context(spec: str = "", *, container: str = "", metadata: str = "", objects: str = "") -> PodContext:
    """A pod of one container; the arguments are more fields in flow style, and more documents."""
    text = (
        f"{{apiVersion: v1, kind: Pod, metadata: {{name: p{_more(metadata)}}}, "
        f"spec: {{containers: [{{name: c, image: 'busybox:1'{_more(container)}}}]{_more(spec)}}}}}"
    )
    bundle = load_bundle("\n---\n".join(part for part in (text, objects) if part))
    return PodContext(bundle=bundle, uid="u-1", host=HOST, directory="/agent/pods/u-1", log_root="/logs")


def _more(fields: str) -> str:
    return f", {fields}" if fields else ""
