"""Whatever stands in a file, the answer is a bundle or a ManifestError."""

from __future__ import annotations

import contextlib
import json

import msgspec
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podwright.agent.seed.manifest.bundle import load_bundle
from podwright.k8s import objects
from podwright.k8s.objects.base import ApiObject
from podwright.k8s.problems import ManifestError

STRUCTS = [item for item in vars(objects).values() if isinstance(item, type) and issubclass(item, ApiObject)]
KEYS = sorted({spec.encode_name for cls in STRUCTS for spec in msgspec.structs.fields(cls)})
WORDS = ["", "a", "busybox:1", "Always", "1Gi", "-1", "v1", "$(A)", "..", "/x", "metadata.name", "\x00", "é"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(WORDS)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=25,
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=300, deadline=None)
@given(
    spec=st.dictionaries(
        st.sampled_from([spec.encode_name for spec in msgspec.structs.fields(objects.PodSpec)]), TREES
    ),
    fields=st.dictionaries(
        st.sampled_from([spec.encode_name for spec in msgspec.structs.fields(objects.Container)]), TREES
    ),
)
def test_any_spec(spec: dict[str, object], fields: dict[str, object]) -> None:
    spec = {"containers": [{"name": "c", "image": "i", **fields}], **spec}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    with contextlib.suppress(ManifestError):
        load_bundle(json.dumps(manifest))


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    with contextlib.suppress(ManifestError):
        load_bundle(text)


@given(TREES)
def test_any_tree(tree: object) -> None:
    with contextlib.suppress(ManifestError):
        load_bundle(yaml.safe_dump(tree))
