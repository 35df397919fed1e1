"""Writes podwright/k8s/protobuf/pod.proto from the protos that a release of Kubernetes publishes.

python -m tools.pod_proto SOURCES

SOURCES is a checkout of kubernetes/kubernetes; run `make proto` afterwards. Taken are the messages that a Pod consists
of: names, numbers and types, in one package and without comments.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
PROTO = TREE / "podwright/k8s/protobuf/pod.proto"
STAGING = "staging/src/k8s.io"
PUBLISHED = tuple(
    f"{STAGING}/{folder}/generated.proto"
    for folder in (
        "api/core/v1",
        "apimachinery/pkg/apis/meta/v1",
        "apimachinery/pkg/api/resource",
        "apimachinery/pkg/util/intstr",
    )
)
HEADER = """\
// A Pod as Kubernetes 1.36 encodes it, with the messages that it consists of.
//
// Written by `python -m tools.pod_proto` from the published protos; do not edit. Names and numbers are Kubernetes'.
syntax = "proto2";

package podwright.k8s.protobuf;
"""
ROOT = "Pod"
_MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^  (optional |repeated |)(map<string, ([\w.]+)>|[\w.]+) (\w+) = (\d+);$", re.MULTILINE)

Field = tuple[str, str, str, str]  # label, type, name, number
Messages = dict[str, tuple[Field, ...]]


def read_messages(sources: Path) -> Messages:
    """The messages of the published protos by their names, which no two of them share among those of a Pod."""
    messages: Messages = {}
    for path in PUBLISHED:
        for name, body in _MESSAGE.findall((sources / path).read_text()):
            messages.setdefault(name, tuple(_field(*found) for found in _FIELD.findall(body)))
    return messages


def _field(label: str, kind: str, value: str, name: str, number: str) -> Field:
    """Types are named without their packages."""
    bare = f"map<string, {value.rpartition('.')[2]}>" if value else kind.rpartition(".")[2]
    return label.strip(), bare, name, number


def part_of(messages: Messages, root: str) -> list[str]:
    """The names of the messages that `root` consists of, with itself, sorted."""
    found, waiting = {root}, [root]
    while waiting:
        for _, kind, _, _ in messages[waiting.pop()]:
            name = kind.removeprefix("map<string, ").removesuffix(">")
            if name in messages and name not in found:
                found.add(name)
                waiting.append(name)
    return sorted(found)


def render(messages: Messages) -> str:
    """The proto."""
    texts = [HEADER]
    for name in part_of(messages, ROOT):
        lines = [f"  {f'{label} {kind}'.strip()} {field} = {number};" for label, kind, field, number in messages[name]]
        texts.append("\n".join([f"message {name} {{", *lines, "}\n"]))
    return "\n".join(texts)


def main() -> int:
    """Write the proto."""
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    PROTO.write_text(render(read_messages(Path(sys.argv[1]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
