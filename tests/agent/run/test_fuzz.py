"""Whatever stands in a file, the answer is a plan or InvalidArgument."""

from __future__ import annotations

import contextlib
import json

import msgspec
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from podwright.errors import InvalidArgument
from podwright.k8s import objects
from podwright.k8s.objects.base import ApiObject
from tests.agent.run.build import plan

STRUCTS = [item for item in vars(objects).values() if isinstance(item, type) and issubclass(item, ApiObject)]
KEYS = sorted({spec.encode_name for cls in STRUCTS for spec in msgspec.structs.fields(cls)})
WORDS = ["", "a", "busybox:1", "Always", "1Gi", "-1", "v1", "$(A)", "..", "/x", "metadata.name", "\x00", "é"]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(WORDS)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=300)
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
    with contextlib.suppress(InvalidArgument):
        plan(json.dumps(manifest))


@settings(max_examples=100)
@given(
    kind=st.sampled_from(
        ["apps/v1 Deployment", "apps/v1 StatefulSet", "batch/v1 Job", "batch/v1 CronJob", "v1 Service"]
    ),
    spec=st.dictionaries(st.sampled_from(KEYS), TREES, max_size=4),
)
def test_any_workload(kind: str, spec: dict[str, object]) -> None:
    version, name = kind.split()
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec}
    with contextlib.suppress(InvalidArgument):
        plan(json.dumps({"apiVersion": version, "kind": name, "metadata": {"name": "p"}, "spec": spec}), now=True)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        plan(text)


@given(TREES)
def test_any_tree(tree: object) -> None:
    with contextlib.suppress(InvalidArgument):
        plan(yaml.safe_dump(tree))
